"""TokenTree: many token sequences that share prefixes, as one row for one forward pass.

Everything per token (embedding, norms, projections, MLP) runs once per node of the tree.
Attention runs path by path: the nodes that a path adds ask, the nodes of the whole path answer.
A mask is made only for paths that branch off, `CHUNK` queries at a time, never for the whole tree.

Dimensions: N nodes, S sequences, Q nodes that ask together, L nodes that they may see between
them, V wanted tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

Ints = npt.NDArray[np.int64]

CALL_COST = 4000
"""What one more attention call costs, in (query, key) pairs: paths whose pairs grow by less than
this when they are asked together share a call. Measured on one core with heads of 32."""
CHUNK = 256
"""Masked queries are asked so many at a time, since most of what a longer block asks it masks."""


@dataclass(frozen=True, slots=True)
class _Bundle:
    """Nodes that ask in one attention call."""

    segments: tuple[int, ...]
    """The segments of the row that hold their keys."""
    mask_QL: Tensor | None
    """0 or minus infinity; None where the queries are the keys and each sees those before it."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one kind of layer attends."""

    query_sizes: list[int]
    """Bundles are slices of the row; together they are all of it."""
    segment_sizes: list[int]
    """Likewise for the slices that keys are put together from."""
    bundles: tuple[_Bundle, ...]


class TokenTree:
    """A packed row; calling it is its attention (see `attention.Attend`)."""

    def __init__(self, sequences: Sequence[Sequence[int]], *, device: torch.device) -> None:
        """Pack sequences in this order, each of at least one token.

        Sequences that share a prefix must stand together, as `depth_first` orders them: a prefix
        is shared with the sequence before, and computed again where another came between.
        """
        self._device = device
        ids: list[Ints] = []
        depth: list[Ints] = []
        paths: list[Ints] = []
        runs: list[tuple[int, int]] = []
        last_ids = last_path = np.zeros(0, np.int64)
        num_nodes = 0
        for sequence in sequences:
            own = np.asarray(sequence, np.int64)
            start = shared_prefix(last_ids, own)
            added = len(own) - start
            ids.append(own[start:])
            depth.append(np.arange(start, len(own)))
            new = np.arange(num_nodes, num_nodes + added)
            last_ids, last_path = own, np.concatenate([last_path[:start], new])
            paths.append(last_path)
            if added:
                runs.append((num_nodes, num_nodes + added))
            num_nodes += added
        self.paths = tuple(paths)
        """Per sequence, the node of each of its tokens."""
        self._depth = np.concatenate(depth)
        self._end = _subtree_ends(self._depth)
        self._runs = runs
        index_2N = torch.from_numpy(np.stack([np.concatenate(ids), self._depth])).to(device)
        self.token_ids = index_2N[:1]
        """`[1, N]`, depth first."""
        self.position_ids = index_2N[1:]
        """`[1, N]`: the depth of each node."""
        self._plans: dict[int | None, _Plan] = {}

    def __len__(self) -> int:
        """The number of nodes."""
        return len(self._depth)

    def __call__(
        self,
        layer: int,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *,
        scaling: float,
        window: int | None,
    ) -> Tensor:
        """Attend path by path; see `attention.Attend`."""
        plan = self._plan(window, query.dtype)
        queries = query.split(plan.query_sizes, dim=2)
        keys = key.split(plan.segment_sizes, dim=2)
        values = value.split(plan.segment_sizes, dim=2)
        parts = []
        for bundle, query_Q in zip(plan.bundles, queries, strict=True):
            key_L = _join([keys[i] for i in bundle.segments])
            value_L = _join([values[i] for i in bundle.segments])
            output = _attend(query_Q, key_L, value_L, bundle.mask_QL, scaling=scaling)
            parts.append(output.transpose(1, 2))
        return torch.cat(parts, dim=1)

    def _plan(self, window: int | None, dtype: torch.dtype) -> _Plan:
        """The plan of layers with this window; one that covers every path is none."""
        if window is not None and window > self._depth.max():
            window = None
        if window not in self._plans:
            self._plans[window] = self._make_plan(window, dtype)
        return self._plans[window]

    def _make_plan(self, window: int | None, dtype: torch.dtype) -> _Plan:
        blocks = self._blocks(window)
        seen = [self._visible(first, last, window) for first, last in blocks]
        # Segments end wherever the keys of some bundle begin or end.
        cuts = {0, len(self)}
        for nodes in seen:
            breaks = np.flatnonzero(np.diff(nodes) != 1)
            cuts.update((int(nodes[0]), int(nodes[-1]) + 1))
            cuts.update((nodes[breaks] + 1).tolist())
            cuts.update(nodes[breaks + 1].tolist())
        borders = np.array(sorted(cuts))
        bundles = []
        for (first, last), nodes in zip(blocks, seen, strict=True):
            segments = np.flatnonzero(np.isin(borders[:-1], nodes))
            mask = self._mask(first, last, nodes, window)
            causal = nodes[0] == first and bool((mask == np.tri(last - first, dtype=bool)).all())
            bundles.append(
                _Bundle(
                    segments=tuple(segments.tolist()),
                    mask_QL=None if causal else _additive(mask, dtype, self._device),
                )
            )
        return _Plan(
            query_sizes=[last - first for first, last in blocks],
            segment_sizes=np.diff(borders).tolist(),
            bundles=tuple(bundles),
        )

    def _blocks(self, window: int | None) -> list[tuple[int, int]]:
        """The slices of the row that ask together: runs, long ones cut, cheap ones joined."""
        blocks: list[tuple[int, int]] = []
        for first, last in self._runs:
            whole = self._depth[first] == 0 and (window is None or last - first <= window)
            step = last - first if whole else CHUNK
            for low in range(first, last, step):
                block = low, min(last, low + step)
                if blocks and block[1] - blocks[-1][0] <= CHUNK:
                    joined = blocks[-1][0], block[1]
                    apart = self._cost(blocks[-1], window) + self._cost(block, window)
                    if self._cost(joined, window) <= apart:
                        blocks[-1] = joined
                        continue
                blocks.append(block)
        return blocks

    def _cost(self, block: tuple[int, int], window: int | None) -> int:
        first, last = block
        return (last - first) * len(self._visible(first, last, window)) + CALL_COST

    def _visible(self, first: int, last: int, window: int | None) -> Ints:
        """The nodes that one of these nodes or more may see, in order."""
        seen = self._end[:last] > first
        if window is not None:
            seen[:first] &= self._depth[:first] > self._depth[first:last].min() - window
        return np.flatnonzero(seen)

    def _mask(
        self, first: int, last: int, nodes: Ints, window: int | None
    ) -> npt.NDArray[np.bool_]:
        """`[Q, L]`: may this node see that one? It may if it stands in the other's subtree."""
        asking = np.arange(first, last)[:, None]
        mask: npt.NDArray[np.bool_] = (nodes <= asking) & (asking < self._end[nodes])
        if window is not None:
            mask &= self._depth[first:last, None] - self._depth[nodes] < window
        return mask


def depth_first(sequences: Sequence[Sequence[int]]) -> list[int]:
    """An order of the sequences in which shared prefixes stand together, the longest way first.

    The longest first, because what it adds needs no mask and side branches then are short.

    >>> depth_first([(1, 2), (5,), (1, 3, 3), (1, 3)])
    [2, 3, 0, 1]
    """
    order = sorted(range(len(sequences)), key=lambda i: tuple(sequences[i]))
    arrays = [np.asarray(sequences[i], np.int64) for i in order]
    shared = [0, *(shared_prefix(a, b) for a, b in pairwise(arrays))]
    done: list[int] = []
    todo = [(0, len(order))] if order else []
    while todo:
        low, high = todo.pop()
        if high - low == 1:
            done.append(order[low])
            continue
        # The range shares `least` tokens; what parts there are the branches behind them.
        least = min(shared[low + 1 : high])
        cuts = [low, *(i for i in range(low + 1, high) if shared[i] == least), high]
        todo += sorted(
            pairwise(cuts), key=lambda part: max(len(array) for array in arrays[slice(*part)])
        )
    return done


def split_rows(
    sequences: Sequence[Sequence[int]], order: Sequence[int], *, budget: int
) -> Iterator[tuple[tuple[int, ...], int]]:
    """Cut an order into rows of at most `budget` nodes; a prefix is computed again in each.

    Yields:
        The sequences of a row, and its number of nodes. A sequence above the budget is a row of
        its own.
    """
    row: list[int] = []
    size = 0
    last = np.zeros(0, np.int64)
    for index in order:
        own = np.asarray(sequences[index], np.int64)
        added = len(own) - shared_prefix(last, own)
        if row and size + added > budget:
            yield tuple(row), size
            row, size, added = [], 0, len(own)
        row.append(index)
        size += added
        last = own
    if row:
        yield tuple(row), size


def shared_prefix(first: Ints, second: Ints) -> int:
    """How many leading tokens are equal."""
    size = min(len(first), len(second))
    differ = np.flatnonzero(first[:size] != second[:size])
    return int(differ[0]) if len(differ) else size


def _subtree_ends(depth: Ints) -> Ints:
    """For each node of a depth-first row, the first node behind it that is not below it."""
    ends = np.full(len(depth), len(depth), np.int64)
    open_nodes: list[int] = []
    for node, level in enumerate(depth.tolist()):
        while len(open_nodes) > level:
            ends[open_nodes.pop()] = node
        open_nodes.append(node)
    return ends


def _attend(
    query_Q: Tensor, key_L: Tensor, value_L: Tensor, mask_QL: Tensor | None, *, scaling: float
) -> Tensor:
    """`[1, num_heads, Q, head_dim]`."""
    if mask_QL is not None and query_Q.is_cuda:
        return attend_grouped(query_Q, key_L, value_L, mask_QL, scaling=scaling)
    return scaled_dot_product_attention(
        query_Q,
        key_L,
        value_L,
        attn_mask=mask_QL,
        is_causal=mask_QL is None,
        scale=scaling,
        enable_gqa=True,
    )


def attend_grouped(
    query_Q: Tensor, key_L: Tensor, value_L: Tensor, mask_QL: Tensor, *, scaling: float
) -> Tensor:
    """The same for a GPU, whose fast kernels take a mask or heads that share keys, not both.

    Key heads are the batch, and the heads that share one are the heads, along which keys lie only
    once. On a CPU this takes a tenth longer.
    """
    grouped = query_Q[0].unflatten(0, (key_L.shape[1], -1))
    keys, values = (
        each.transpose(0, 1).expand(-1, grouped.shape[1], -1, -1) for each in (key_L, value_L)
    )
    output = scaled_dot_product_attention(grouped, keys, values, attn_mask=mask_QL, scale=scaling)
    return output.flatten(0, 1)[None]


def _join(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)


def _additive(mask: npt.NDArray[np.bool_], dtype: torch.dtype, device: torch.device) -> Tensor:
    hidden = torch.from_numpy(~mask).to(device)
    num_queries, num_keys = mask.shape
    # Rows begin at whole vectors, or a GPU would copy the mask in every layer.
    wide = torch.zeros(num_queries, -(-num_keys // 8) * 8, dtype=dtype, device=device)
    return wide[:, :num_keys].masked_fill_(hidden, -torch.inf)

"""Packed: the new tokens of many episodes as one row, attending to their own slots.

Everything but attention runs once per token on a row without padding. Attention runs in buckets
of similar width, padded within a bucket.

Dimensions: T tokens of the row, B rows of a bucket, Q its width, L its longest sequence,
N query heads, K key heads, D head size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from agentgym.trainers.engines.slots import Slots

ROUND_L = 16
"""Lengths are rounded up to this many keys, a whole number of vector lanes and of cache lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The new tokens of one episode."""

    slot: int
    start: int
    """Tokens of the episode that are in the slot already."""
    ids: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bucket:
    """Pieces of similar width; `row` and `column` say where its tokens stand when padded."""

    first: int
    """Its first token in the packed row."""
    row: Tensor
    column: Tensor
    shape: tuple[int, int]
    """(B, Q)."""
    slots: slice | Tensor
    """The slots of its rows: a slice is read in place, a list of slots is copied out."""
    length: int
    mask_B1QL: Tensor


class Packed:
    """One forward's tokens; calling it is the attention (see `attention.Attend`)."""

    def __init__(self, slots: Slots, pieces: Sequence[Piece]) -> None:
        """Pack pieces, each of at least one token; the slots must have room for them."""
        self._slots = slots
        self._buckets: list[_Bucket] = []
        by_width: dict[int, list[int]] = {}
        for index, piece in enumerate(pieces):
            by_width.setdefault(_width_class(len(piece.ids)), []).append(index)
        ids: list[int] = []
        rows: list[int] = []
        positions: list[int] = []
        last = [0] * len(pieces)
        for _, members in sorted(by_width.items()):
            first = len(ids)
            for index in members:
                piece = pieces[index]
                ids += piece.ids
                rows += [piece.slot] * len(piece.ids)
                positions += range(piece.start, piece.start + len(piece.ids))
                last[index] = len(ids) - 1
            self._buckets.append(_bucket(slots, [pieces[i] for i in members], first=first))
        index_3T = torch.tensor([ids, rows, positions]).to(slots.device)
        self.token_ids = index_3T[:1]
        """`[1, T]`."""
        self.position_ids = index_3T[2:]
        """`[1, T]`."""
        self._where = index_3T[1], index_3T[2]
        self.last = torch.tensor(last, device=slots.device)
        """Where in the row each piece ends, parallel to the pieces."""

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
        """Store the new keys and values, then attend; see `attention.Attend`."""
        assert window is None, "the engine refuses models with sliding windows"
        keys, values = self._slots.layer(layer)
        rows, positions = self._where
        keys[rows, :, positions] = key[0].transpose(0, 1)
        values[rows, :, positions] = value[0].transpose(0, 1)
        query_TND = query[0].transpose(0, 1)
        parts = [
            _attend(bucket, query_TND, keys, values, scaling=scaling) for bucket in self._buckets
        ]
        return torch.cat(parts)[None]


def _width_class(width: int) -> int:
    """1 for one token, else the power of 4 (16 at least) that pieces are thought to fill."""
    return 1 if width == 1 else max(16, 1 << ((width - 1).bit_length() + 1 >> 1 << 1))


def _bucket(slots: Slots, pieces: Sequence[Piece], *, first: int) -> _Bucket:
    width = max(len(piece.ids) for piece in pieces)
    longest = max(piece.start + len(piece.ids) for piece in pieces)
    length = -(-longest // ROUND_L) * ROUND_L
    low = min(piece.slot for piece in pieces)
    span = max(piece.slot for piece in pieces) + 1 - low
    numbers = [piece.slot for piece in pieces]
    where: slice | Tensor
    if width == 1 and span <= 2 * len(pieces):
        # Reading a few slots for nothing is cheaper than copying the others out.
        size, where, rows = span, slice(low, low + span), [slot - low for slot in numbers]
    else:
        size, rows = len(pieces), list(range(len(pieces)))
        where = torch.tensor(numbers, device=slots.device)
    row = [r for r, piece in zip(rows, pieces, strict=True) for _ in piece.ids]
    column = [c for piece in pieces for c in range(len(piece.ids))]
    position = [piece.start + c for piece in pieces for c in range(len(piece.ids))]
    index_3T = torch.tensor([row, column, position]).to(slots.device)
    # Padding looks at column 0: a row that may look at nothing would be nan.
    position_BQ = index_3T.new_zeros(size, width)
    position_BQ[index_3T[0], index_3T[1]] = index_3T[2]
    hidden_BQL = torch.arange(length, device=slots.device) > position_BQ[:, :, None]
    mask_BQL = torch.zeros(hidden_BQL.shape, dtype=slots.dtype, device=slots.device)
    mask_BQL.masked_fill_(hidden_BQL, -torch.inf)
    return _Bucket(
        first=first,
        row=index_3T[0],
        column=index_3T[1],
        shape=(size, width),
        slots=where,
        length=length,
        # Queries that share a key head are stacked, so that keys need not be copied for each.
        mask_B1QL=mask_BQL.repeat(1, slots.queries_per_key, 1)[:, None],
    )


def _attend(
    bucket: _Bucket, query_TND: Tensor, keys: Tensor, values: Tensor, *, scaling: float
) -> Tensor:
    """The attended values of the bucket's tokens, `[T of the bucket, N, D]`."""
    size, width = bucket.shape
    num_heads, head_dim = query_TND.shape[1:]
    num_kv_heads = keys.shape[1]
    own = query_TND[bucket.first : bucket.first + len(bucket.row)]
    query_BQND = own.new_zeros(size, width, num_heads, head_dim)
    query_BQND[bucket.row, bucket.column] = own
    output = scaled_dot_product_attention(
        query_BQND.transpose(1, 2).reshape(size, num_kv_heads, -1, head_dim),
        _take(keys[:, :, : bucket.length], bucket.slots),
        _take(values[:, :, : bucket.length], bucket.slots),
        attn_mask=bucket.mask_B1QL,
        scale=scaling,
    )
    output_BNQD = output.view(size, num_heads, width, head_dim)
    return output_BNQD[bucket.row, :, bucket.column]


def _take(cached: Tensor, slots: slice | Tensor) -> Tensor:
    return cached[slots] if isinstance(slots, slice) else cached.index_select(0, slots)

"""Micro-batches: which sequences go through the model together, as a token tree or padded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentgym.trainers.tree import depth_first, split_rows

MIN_SHARING = 1.1
"""Trees are used where padded rows hold at least this many times their nodes; see `plan`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroBatch:
    """Sequences of one forward pass, each cut behind the last token that the model must read."""

    members: tuple[int, ...]
    """Which of the given sequences these are."""
    ids: tuple[Sequence[int], ...]
    """Parallel to `members`, as `wanted` is; a wanted token may be the one behind them."""
    targets: tuple[tuple[int, ...], ...]
    """The tokens at the wanted positions."""
    wanted: tuple[Sequence[int], ...]
    """Positions of the tokens to score."""
    images: tuple[Sequence[bytes], ...] = ()
    """Parallel to `members`, where any has pictures."""
    as_tree: bool
    """One row without repetition; else one row a sequence, padded to the longest."""


def plan(
    sequences: Sequence[Sequence[int]],
    wanted: Sequence[Sequence[int]],
    *,
    budget: int,
    trees: bool,
    images: Sequence[Sequence[bytes]] = (),
) -> Iterator[MicroBatch]:
    """Micro-batches within the budget: trees where that spares enough, padded rows elsewhere.

    Which of them is decided for all sequences at once, by the tokens that the model would read:
    below `MIN_SHARING` what the attention of a tree costs more eats up what its sharing spares.
    Sequences without a wanted token are left out; one above the budget is alone.

    Args:
        budget: tokens of a micro-batch: nodes of a tree, or padded tokens.
        trees: whether the model takes trees at all.
        images: each sequence's pictures, where any has some.
    """
    lengths = [max(positions, default=0) for positions in wanted]
    cut = [tuple(ids[:length]) for ids, length in zip(sequences, lengths, strict=True)]
    batches = padded(lengths, budget=budget)
    as_tree = False
    if trees:
        some = [i for i, length in enumerate(lengths) if length > 0]
        order = [some[i] for i in depth_first([cut[i] for i in some])]
        rows = list(split_rows(cut, order, budget=budget))
        num_padded = sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)
        as_tree = num_padded >= MIN_SHARING * sum(size for _, size in rows)
        if as_tree:
            batches = [row for row, _ in rows]
    for batch in batches:
        yield MicroBatch(
            members=batch,
            ids=tuple(cut[i] for i in batch),
            targets=tuple(tuple(sequences[i][j] for j in wanted[i]) for i in batch),
            wanted=tuple(wanted[i] for i in batch),
            images=tuple(images[i] for i in batch) if images else (),
            as_tree=as_tree,
        )


def padded(lengths: Sequence[int], *, budget: int) -> list[tuple[int, ...]]:
    """Group sequences of similar length so that each group, padded, fits the budget.

    Sequences of length 0 are left out; one above the budget is a group of its own.

    >>> padded([5, 2, 0, 9, 3], budget=10)
    [(3,), (0, 4), (1,)]
    """
    order = sorted((i for i, n in enumerate(lengths) if n > 0), key=lambda i: -lengths[i])
    batches: list[list[int]] = []
    for i in order:
        # Longest first: a group's first member is what the others are padded to.
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= budget:
            batches[-1].append(i)
        else:
            batches.append([i])
    return [tuple(batch) for batch in batches]

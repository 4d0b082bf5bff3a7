"""Generalised advantage estimation over chains of decisions, and what schemes of a critic share.

A chain holds decisions only: turns, or the tokens that the policy sampled. What the environment
wrote between them is no decision; kept in, its tokens would discount every reward on its way back,
and a reward that lies on one of them would be lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias, TypeVar

import numpy as np

from agentgym.errors import UsageError
from agentgym.trainers.credit.layout import (
    NEGLIGIBLE,
    FloatArray,
    IntArray,
    Layout,
    credited,
    share,
)
from agentgym.types import Credited, ScoredGroup

Nested: TypeAlias = tuple[tuple[tuple[tuple[float, ...], ...], ...], ...]
T = TypeVar("T")


def gae(
    rewards: FloatArray, values: FloatArray, lengths: IntArray, *, gamma: float, lam: float
) -> FloatArray:
    """`A_t = delta_t + gamma lam A_(t+1)` with `delta_t = r_t + gamma V_(t+1) - V_t`.

    Behind the last decision of a chain there is nothing: V and A are 0, also where a limit ended
    the episode.

    >>> gae(np.array([0.0, 1.0]), np.array([0.5, 0.5]), np.array([2]), gamma=1.0, lam=1.0).tolist()
    [0.5, 0.5]

    Args:
        rewards: `[N]`, chain after chain.
        values: `[N]`, of the state before each decision.
        lengths: decisions of each chain; they sum to N.

    Returns:
        `[N]`. The target of the value is this plus the value.

    Source: Schulman et al. 2016 (1506.02438).
    """
    starts = np.cumsum(lengths) - lengths
    ends = (starts + lengths - 1)[lengths > 0]
    after = np.append(values[1:], 0.0)[: len(values)]
    after[ends] = 0.0
    advantages = rewards + gamma * after - values
    for index in range(int(lengths.max(initial=0)) - 2, -1, -1):
        here = starts[lengths > index + 1] + index
        advantages[here] += gamma * lam * advantages[here + 1]
    return advantages


def token_values(groups: Sequence[ScoredGroup]) -> list[tuple[float, ...]]:
    """The critic's values of every turn, `[S]`, each parallel to the turn's `action_ids`.

    Raises:
        UsageError: a turn has none.
    """
    found = []
    for group in groups:
        for member in group.members:
            for number, turn in enumerate(member.episode.turns, start=1):
                if turn.values is None:
                    raise UsageError(
                        f"{member.episode.id}/turn={number} has no values of a critic, which the "
                        "credit scheme reads; only a run with such a scheme records them"
                    )
                found.append(turn.values)
    return found


def flatten(values: Sequence[tuple[float, ...]]) -> tuple[FloatArray, IntArray]:
    """The values of all T tokens, `[T]`, and how many each turn has, `[S]`."""
    sizes = np.array([len(row) for row in values], dtype=np.int64)
    return np.array([value for row in values for value in row], dtype=np.float64), sizes


def last_tokens(sizes: IntArray) -> IntArray:
    """Where the last token of each turn with a token lies, in the order of turns."""
    return (np.cumsum(sizes) - 1)[sizes > 0]


def spoken_rewards(rewards: FloatArray, sizes: IntArray, layout: Layout) -> FloatArray:
    """The rewards of the turns with a token, in their order.

    What a turn without one earned goes to the turn before it that has one, for it has no token to
    lie on. Before an episode's first token nothing was decided, and it is left out.

    Args:
        rewards: of each turn, `[S]`, as `sizes`.
    """
    spoke = sizes > 0
    place = np.cumsum(spoke) - 1
    episodes = layout.turn_episode
    # Place -1, before all, reads a last entry that belongs to no episode.
    owner = np.append(episodes[spoke], -1)[place]
    kept = owner == episodes
    sums = np.bincount(place[kept], weights=rewards[kept], minlength=int(spoke.sum()))
    return sums.astype(np.float64)


def credited_tokens(
    layout: Layout, advantages: FloatArray, targets: FloatArray, sizes: IntArray
) -> Credited:
    """The record of flat token advantages and value targets, `[T]` both.

    A turn's advantage is the mean of its tokens', for people and reports; 0 without a token.

    Args:
        sizes: sampled tokens of each turn, `[S]`.
    """
    turn = np.repeat(np.arange(len(sizes)), sizes)
    means = np.bincount(turn, weights=advantages, minlength=len(sizes)) / np.maximum(sizes, 1)
    moved = np.bincount(
        layout.turn_group[turn[np.abs(advantages) > NEGLIGIBLE]], minlength=layout.num_groups
    )
    return replace(
        credited(layout, means, {"credit/zero_groups": share(moved == 0)}),
        token_advantages=nest(advantages, sizes, layout),
        value_targets=nest(targets, sizes, layout),
    )


def nest(flat: FloatArray, sizes: IntArray, layout: Layout) -> Nested:
    """A number a token, `[T]`, as `[group][member][turn][token]`."""
    turns = _cut(flat.tolist(), sizes)
    return tuple(_cut(_cut(turns, layout.num_turns), layout.group_sizes))


def _cut(items: Sequence[T], counts: IntArray) -> list[tuple[T, ...]]:
    ends = np.cumsum(counts).tolist()
    return [tuple(items[start:end]) for start, end in zip([0, *ends], ends, strict=False)]

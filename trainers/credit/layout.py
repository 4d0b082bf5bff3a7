"""How the episodes and turns of a batch of groups lie in flat arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from agentgym.types import Credited, ScoredGroup

BoolArray: TypeAlias = npt.NDArray[np.bool_]
FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]

NEGLIGIBLE = 1e-9
"""A smaller advantage is none: a mean of equal numbers is off by one rounding."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """A batch of G groups with E members and S turns, in order of (group, member, turn).

    Two groups of two members with 1, 3 | 2, 1 turns:

    >>> layout = Layout(group_sizes=np.array([2, 2]), num_turns=np.array([1, 3, 2, 1]))
    >>> layout.episode_group.tolist(), layout.turn_episode.tolist()
    ([0, 0, 1, 1], [0, 1, 1, 1, 2, 2, 3])
    >>> layout.starts.tolist(), layout.turn_index.tolist()
    ([0, 1, 4, 6], [0, 0, 1, 2, 0, 1, 0])
    >>> layout.turn_member.tolist()
    [0, 1, 1, 1, 0, 0, 1]
    """

    group_sizes: IntArray
    """Members of each group, `[G]`."""
    num_turns: IntArray
    """Turns of each member, `[E]`."""

    @classmethod
    def of(cls, groups: Sequence[ScoredGroup]) -> Layout:
        """The layout of these groups; a group without members keeps its place."""
        sizes = [len(group.members) for group in groups]
        turns = [len(member.episode.turns) for group in groups for member in group.members]
        return cls(
            group_sizes=np.array(sizes, dtype=np.int64), num_turns=np.array(turns, dtype=np.int64)
        )

    @property
    def num_groups(self) -> int:
        """G."""
        return len(self.group_sizes)

    @cached_property
    def episode_group(self) -> IntArray:
        """The group of each episode, `[E]`."""
        return np.repeat(np.arange(self.num_groups), self.group_sizes)

    @cached_property
    def turn_episode(self) -> IntArray:
        """The episode of each turn, `[S]`."""
        return np.repeat(np.arange(len(self.num_turns)), self.num_turns)

    @cached_property
    def turn_group(self) -> IntArray:
        """The group of each turn, `[S]`."""
        return self.episode_group[self.turn_episode]

    @cached_property
    def turn_member(self) -> IntArray:
        """The place in its group of each turn's episode, from 0, `[S]`."""
        before = np.cumsum(self.group_sizes) - self.group_sizes
        return self.turn_episode - before[self.turn_group]

    @cached_property
    def starts(self) -> IntArray:
        """Where each episode's first turn lies, `[E]`."""
        return np.cumsum(self.num_turns) - self.num_turns

    @cached_property
    def turn_index(self) -> IntArray:
        """The place of each turn in its episode, from 0, `[S]`."""
        return np.arange(int(self.num_turns.sum())) - self.starts[self.turn_episode]

    @cached_property
    def is_last(self) -> BoolArray:
        """Whether each turn is its episode's last, `[S]`."""
        return np.asarray(self.turn_index == self.num_turns[self.turn_episode] - 1)

    @cached_property
    def index_pool(self) -> IntArray:
        """A number that the k-th turns of one group share and no other turns have, `[S]`."""
        return self.turn_group * (int(self.num_turns.max(initial=0)) + 1) + self.turn_index


def outcomes(groups: Sequence[ScoredGroup]) -> FloatArray:
    """R of every member, `[E]`."""
    values = [member.outcome for group in groups for member in group.members]
    return np.array(values, dtype=np.float64)


def successes(groups: Sequence[ScoredGroup]) -> BoolArray:
    """Which members ended in success, `[E]`: the environment's word, whatever the outcome was
    shaped to."""
    won = [bool(member.episode.success) for group in groups for member in group.members]
    return np.array(won, dtype=np.bool_)


def turn_rewards(groups: Sequence[ScoredGroup]) -> FloatArray:
    """r of every turn, `[S]`."""
    values = [
        reward for group in groups for member in group.members for reward in member.turn_rewards
    ]
    return np.array(values, dtype=np.float64)


def share(mask: BoolArray) -> float:
    """The part of the entries that is true; 0 where there are none."""
    return float(mask.mean()) if mask.size else 0.0


def credited(layout: Layout, advantages: FloatArray, metrics: Mapping[str, float]) -> Credited:
    """The record of flat advantages `[S]`.

    Adds the metric every scheme has: `credit/zero_groups`, the share of groups from which no turn
    learns anything (those without a valid member among them).
    """
    moved = np.bincount(
        layout.turn_group[np.abs(advantages) > NEGLIGIBLE], minlength=layout.num_groups
    )
    return Credited(
        advantages=nest_turns(advantages, layout),
        metrics={"credit/zero_groups": share(moved == 0), **metrics},
    )


def nest_turns(values: FloatArray, layout: Layout) -> tuple[tuple[tuple[float, ...], ...], ...]:
    """A number a turn, `[S]`, as `[group][member][turn]`."""
    ends = np.cumsum(layout.num_turns).tolist()
    spans = zip([0, *ends], ends, strict=False)
    episodes = [tuple(values[start:end].tolist()) for start, end in spans]
    last = np.cumsum(layout.group_sizes).tolist()
    return tuple(tuple(episodes[start:end]) for start, end in zip([0, *last], last, strict=False))

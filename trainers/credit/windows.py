"""SALT's states: windows of history. Keys become integers, equality is exact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from agentgym.trainers.credit.graph import identify
from agentgym.trainers.credit.layout import BoolArray, IntArray, Layout
from agentgym.types import ScoredGroup


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """What happened at each turn, as integers: S turns of E episodes in the layout's order.

    A turn's *pair* is what the agent did (its parsed action, or the reason it had none) together
    with the key of the observation that answered. Equal numbers are equal things only inside one
    group. They come from comparing the strings themselves, so they are the same in every process
    up to renaming, and no two different keys share one.
    """

    layout: Layout
    pair: IntArray
    """`[S]`."""
    root: IntArray
    """The first observation of each episode, `[E]`, numbered with the pairs and equal to none."""
    mergeable: BoolArray
    """`[S]`; false where the turn was cut, so that what it would have led to was never seen."""

    @classmethod
    def of(cls, groups: Sequence[ScoredGroup], layout: Layout) -> Windows:
        """Number the keys of these groups."""
        pair: list[int] = []
        root: list[int] = []
        cut: list[int] = []
        for group in groups:
            number: defaultdict[tuple[str | None, str | None, str], int] = defaultdict(
                count().__next__
            )
            for member in group.members:
                first, turns = member.episode.first, member.episode.turns
                assert first is not None, f"{member.episode.id} is valid but has no observation"
                root.append(number[None, None, first.key])
                cut += [i for i, turn in enumerate(turns, len(pair)) if turn.finish != "stop"]
                pair += [number[turn.action, turn.invalid, turn.observation.key] for turn in turns]
        mergeable = np.ones(len(pair), dtype=np.bool_)
        mergeable[cut] = False
        return cls(
            layout=layout,
            # `fromiter` takes a list of ints in half the time of `array`.
            pair=np.fromiter(pair, dtype=np.int64, count=len(pair)),
            root=np.fromiter(root, dtype=np.int64, count=len(root)),
            mergeable=mergeable,
        )

    def edges(self, key_window: int) -> IntArray:
        """A number for the edge of each turn, `[S]`; equal edges share one, across groups none do.

        The state after a turn is its last `key_window` pairs, the root before the first of them;
        the edge is the state before, the action, and the state after. Together these are exactly
        the last `key_window + 1` pairs.
        """
        longest = int(self.layout.num_turns.max(initial=0))
        turn_index = self.layout.turn_index
        root = self.root[self.layout.turn_episode]
        # A lag past the longest episode would add a column that holds the root alone.
        lags = range(1, min(key_window, longest) + 1)
        before = [np.where(turn_index >= lag, np.roll(self.pair, lag), root) for lag in lags]
        return identify([self.layout.turn_group, self.pair, *before])

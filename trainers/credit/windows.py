"""SALT's states: windows of history. Keys become integers, equality is exact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TypeAlias

import numpy as np

from agentgym.errors import UsageError
from agentgym.trainers.credit.graph import identify
from agentgym.trainers.credit.layout import BoolArray, IntArray, Layout
from agentgym.types import ScoredGroup

ActionKeys: TypeAlias = Callable[[Sequence[str]], Sequence[Hashable]]
"""The distinct actions of one group, in order of appearance, to a key each; equal keys mean equal
actions. It sees them all at once, so it may cluster them: by embedding, by distance of edits."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """What happened at each turn, as integers: S turns of E episodes in the layout's order.

    A turn's *pair* is what the agent did (its parsed action, or the reason it had none) together
    with the key of the observation that answered. Equal numbers are equal things of one group.
    They come from comparing the strings themselves, so they are the same in every process up to
    renaming, and no two different keys share one.
    """

    layout: Layout
    pair: IntArray
    """`[S]`."""
    action: IntArray
    """The first half of the pair, `[S]`; inside a group equal numbers are equal actions."""
    root: IntArray
    """The first observation of each episode, `[E]`, numbered with the pairs and equal to none."""
    mergeable: BoolArray
    """`[S]`; false where the turn was cut, so that what it would have led to was never seen."""

    @classmethod
    def of(
        cls, groups: Sequence[ScoredGroup], layout: Layout, *, action_keys: ActionKeys | None = None
    ) -> Windows:
        """Number the keys of these groups.

        Args:
            action_keys: what makes two actions of a group equal; None: their text.
        """
        looked: list[int] = []
        root: list[int] = []
        # Of each number in turn: the number of what looks the same, its action, and whether whole.
        pair: list[int] = []
        action: list[int] = []
        whole: list[bool] = []
        fresh = count()
        for group in groups:
            # With `finish`, so that each turn is looked at once; there are many more turns.
            number: defaultdict[tuple[Hashable, str | None, str, str | None], int]
            number = defaultdict(fresh.__next__)
            same = _same_actions(group, action_keys) if action_keys else None
            for member in group.members:
                first, turns = member.episode.first, member.episode.turns
                assert first is not None, f"{member.episode.id} is valid but has no observation"
                root.append(number[None, None, first.key, None])
                if same is None:
                    looked += [
                        number[t.action, t.invalid, t.observation.key, t.finish] for t in turns
                    ]
                else:
                    get = same.get
                    looked += [
                        number[get(t.action), t.invalid, t.observation.key, t.finish] for t in turns
                    ]
            act: defaultdict[tuple[Hashable, str | None], int] = defaultdict(count().__next__)
            alike: dict[tuple[Hashable, str | None, str], int] = {}
            for (done, reason, seen, finish), value in number.items():
                pair.append(alike.setdefault((done, reason, seen), value))
                action.append(act[done, reason])
                whole.append(finish == "stop")
        # `fromiter` takes a list of ints in half the time of `array`.
        turns_looked = np.fromiter(looked, dtype=np.int64, count=len(looked))
        return cls(
            layout=layout,
            pair=np.array(pair, dtype=np.int64)[turns_looked],
            action=np.array(action, dtype=np.int64)[turns_looked],
            root=np.fromiter(root, dtype=np.int64, count=len(root)),
            mergeable=np.array(whole, dtype=np.bool_)[turns_looked],
        )

    def walk(self, key_window: int) -> tuple[IntArray, IntArray, IntArray]:
        """Numbers for the state before each turn, its edge, and the state after it, `[S]` each.

        The state after a turn is its last `key_window` pairs, the root before the first of them;
        the edge is the state before, the action, and the state after. The last two follow from
        the state before and the turn's own pair. Equal edges share a number, across groups none
        do, and a turn that was cut has an edge of its own.
        """
        after = self._last(key_window)
        acted = self.layout.num_turns > 0
        before = np.roll(after, 1)
        # Roots are numbered with the pairs; behind all windows they have numbers of their own.
        before[self.layout.starts[acted]] = self.root[acted] + int(after.max(initial=-1)) + 1
        edge = identify([before, self.pair])
        cut = np.flatnonzero(~self.mergeable)
        edge[cut] = len(edge) + np.arange(len(cut))  # above all the others
        return before, edge, after

    def _last(self, length: int) -> IntArray:
        """A number for the last `length` pairs up to each turn, its own included, `[S]`."""
        longest = int(self.layout.num_turns.max(initial=0))
        turn_index = self.layout.turn_index
        root = self.root[self.layout.turn_episode]
        # A lag past the longest episode would add a column that holds the root alone.
        lags = range(1, min(length - 1, longest) + 1)
        before = [np.where(turn_index >= lag, np.roll(self.pair, lag), root) for lag in lags]
        return identify([self.pair, *before])


def _same_actions(group: ScoredGroup, action_keys: ActionKeys) -> Mapping[str | None, Hashable]:
    """The key of each action, in a tuple, which no text and no reason for having none equals."""
    turns = (turn for member in group.members for turn in member.episode.turns)
    actions = list(dict.fromkeys(turn.action for turn in turns if turn.action is not None))
    keys = action_keys(actions)
    if len(keys) != len(actions):
        raise UsageError(f"action_keys gave {len(keys)} keys for {len(actions)} actions")
    return {action: (key,) for action, key in zip(actions, keys, strict=True)}

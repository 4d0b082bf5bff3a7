"""The kernel of the graph schemes: episodes of a group as walks through one graph of states.

A node is a state, an edge occurrence is an executed turn, and an episode ends in one of two sinks
that its group has: success or failure. A scheme is a score for nodes (`scores.py`), a credit for
edges made of it, and what the credit is compared with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from operator import attrgetter
from typing import Literal, TypeAlias

import numpy as np

from agentgym.trainers.credit.layout import (
    NEGLIGIBLE,
    BoolArray,
    FloatArray,
    IntArray,
    Layout,
    share,
    successes,
)
from agentgym.trainers.credit.normalize import Std, normalize
from agentgym.trainers.credit.similar import first_fit
from agentgym.types import ScoredGroup, Status

PACKED_BELOW = 2**63
"""Several id columns travel in one int64 while the product of their ranges stays below this."""

Truncation: TypeAlias = Literal["failure", "neutral"]
Nodes: TypeAlias = Literal["key", "state"]
"""The field of an observation that makes two of them one node."""
LIMITS = (Status.TRUNCATED_TURNS, Status.TRUNCATED_TOKENS, Status.TRUNCATED_TIME)
"""How an episode ends that neither the agent nor the environment ended."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """The graphs of G groups side by side: N states, numbered group by group, then the sinks.

    Nodes 0 to N - 1 are states, N + g is the failure of group g, N + G + g its success. A state is
    what the observation says that a turn answers to, whatever happened before. Every state was
    left at least once, and from every state some sink was reached.

    Source: the common ground of GraphGPO, G2PO, GRAFT, CRBC, GraphHCA and GiGPO. Deviation from
    the first two: the last turn of an episode without success leads to the failure sink, and so
    never to a state from which others went on, however much its last observation looks like one.
    """

    layout: Layout
    source: IntArray
    """The state that each of the S turns left, `[S]`."""
    action: IntArray
    """What was done there, or the reason that it was nothing, `[S]`; inside a group equal numbers
    are equal actions."""
    num_states: int
    """N."""
    won: BoolArray
    """See `successes`, `[E]`."""
    compared: BoolArray
    """`[S]`; false where the turn was cut. A cut turn led where it led, so it stays an edge, but
    what the agent would have said is unknown: it is compared with no other. Where truncation is
    neutral, that also holds of the turn at which a limit ended the episode."""

    @classmethod
    def of(
        cls,
        groups: Sequence[ScoredGroup],
        layout: Layout,
        *,
        nodes: Nodes = "key",
        similarity: float = 1.0,
        truncation: Truncation = "failure",
    ) -> Graph:
        """The graphs of these groups.

        Args:
            nodes: what makes two observations one state.
            similarity: below 1, states named this similarly are one state; see `first_fit`.
            truncation: whether the turn at which a limit ended an episode is compared.
        """
        source: list[int] = []
        action: list[int] = []
        cut: list[int] = []
        fresh = count()
        for group in groups:
            state: defaultdict[str | int, int] = defaultdict(fresh.__next__)
            act: defaultdict[tuple[str | None, str | None], int] = defaultdict(count().__next__)
            seen = _names(group, nodes, similarity)
            for member, names in zip(group.members, seen, strict=True):
                turns = member.episode.turns
                cut += [i for i, turn in enumerate(turns, len(source)) if turn.finish != "stop"]
                source += [state[name] for name in names]
                action += [act[turn.action, turn.invalid] for turn in turns]
                if truncation == "neutral" and turns and member.episode.status in LIMITS:
                    cut.append(len(source) - 1)
        compared = np.ones(len(source), dtype=np.bool_)
        compared[cut] = False
        return cls(
            layout=layout,
            source=np.fromiter(source, dtype=np.int64, count=len(source)),
            action=np.fromiter(action, dtype=np.int64, count=len(action)),
            num_states=next(fresh),
            won=successes(groups),
            compared=compared,
        )

    @property
    def num_nodes(self) -> int:
        """States and sinks."""
        return self.num_states + 2 * self.layout.num_groups

    @cached_property
    def node_group(self) -> IntArray:
        """The group of each node, `[N + 2 G]`."""
        groups = np.arange(self.layout.num_groups)
        of_states = np.zeros(self.num_states, dtype=np.int64)
        of_states[self.source] = self.layout.turn_group
        return np.concatenate([of_states, groups, groups])

    @cached_property
    def end(self) -> IntArray:
        """The sink of each episode, `[E]`."""
        group = self.layout.episode_group
        return self.num_states + group + np.where(self.won, self.layout.num_groups, 0)

    @cached_property
    def target(self) -> IntArray:
        """The node that each turn led to, `[S]`."""
        target = np.roll(self.source, -1)
        acted = self.layout.num_turns > 0
        target[(self.layout.starts + self.layout.num_turns - 1)[acted]] = self.end[acted]
        return target

    @cached_property
    def choice(self) -> IntArray:
        """A number for each turn's state and action, `[S]`."""
        return identify([self.source, self.action])

    @cached_property
    def edge(self) -> IntArray:
        """A number for each turn's state, action and next node, `[S]`."""
        return identify([self.choice, self.target])

    @cached_property
    def visits(self) -> IntArray:
        """How often each state was left, `[N]`."""
        return np.bincount(self.source, minlength=self.num_states)

    def window(self, length: int) -> IntArray:
        """A number for the last `length` states of each turn, its own included, `[S]`."""
        turn_index = self.layout.turn_index
        lags = range(1, min(length, int(self.layout.num_turns.max(initial=0))))
        before = [np.where(turn_index >= lag, np.roll(self.source, lag) + 1, 0) for lag in lags]
        return identify([self.source, *before])

    def among(
        self, values: FloatArray, pool: IntArray, *, std: Std, eps: float, min_spread: float
    ) -> FloatArray:
        """`normalize` among the turns that are compared, `[S]`; 0 for those that are not."""
        scores = np.zeros(len(values))
        scores[self.compared] = normalize(
            values[self.compared],
            pool[self.compared],
            num_pools=int(pool.max(initial=-1)) + 1,
            std=std,
            eps=eps,
            min_spread=min_spread,
        )
        return scores


def _names(group: ScoredGroup, nodes: Nodes, similarity: float) -> Sequence[Sequence[str | int]]:
    """The state that each turn of each member left, by name."""
    name = attrgetter(nodes)
    names = []
    for member in group.members:
        first, turns = member.episode.first, member.episode.turns
        assert first is not None, f"{member.episode.id} is valid but has no observation"
        names.append([name(first), *(name(turn.observation) for turn in turns)][: len(turns)])
    if similarity >= 1:
        return names
    alike = first_fit([name for row in names for name in row], similarity)
    return [[alike[name] for name in row] for row in names]


def identify(columns: Sequence[IntArray]) -> IntArray:
    """A number for each row of the columns, from 0: equal for equal rows and for no others.

    >>> identify([np.array([0, 0, 1, 0]), np.array([5, 7, 5, 5])]).tolist()
    [0, 1, 2, 0]
    """
    packed, size = columns[0], int(columns[0].max(initial=0)) + 1
    for column in columns[1:]:
        width = int(column.max(initial=0)) + 1
        if size * width > PACKED_BELOW:
            packed, size = _rank(packed, size), len(packed)
        packed, size = packed * width + column, size * width
    return _rank(packed, size)


def _rank(values: IntArray, size: int) -> IntArray:
    """The place of each value, from 0 to `size` - 1, among the distinct ones."""
    order = _argsort(values, size)
    ranks = np.zeros_like(values)
    ranks[order[1:]] = np.cumsum(np.diff(values[order]) != 0)
    return ranks


def _argsort(values: IntArray, size: int) -> IntArray:
    """`np.argsort`, in half the time where each value fits into an int64 beside its place."""
    shift = len(values).bit_length()
    if size << shift > PACKED_BELOW:
        return np.argsort(values)
    packed = values << shift | np.arange(len(values))
    packed.sort()
    return np.asarray(packed & ((1 << shift) - 1))


def mean_by(values: FloatArray, ids: IntArray) -> FloatArray:
    """For each entry the mean of all values under its id; a lone value comes back unchanged."""
    return np.asarray(np.bincount(ids, weights=values)[ids] / np.bincount(ids)[ids])


def describe(
    layout: Layout,
    credit: FloatArray,
    *,
    source: IntArray,
    action: IntArray,
    compared: BoolArray,
    won: BoolArray,
) -> dict[str, float]:
    """What there was to compare, as metrics; for every scheme with states they mean the same.

    - `graph/rivals`: share of turns whose state was also left by another action. A turn that is
      not compared has no rival and is none, though it counts as a visit.
    - `graph/ties`: of these, the share from a state where every compared turn got equal credit,
      so that the rivals are not told apart.
    - `graph/singletons`: share of states that were left once.
    - `graph/reach`: episodes a state, on average.
    - `graph/won_groups`: share of groups with a success.

    Args:
        credit: what the scheme gives a turn for what was done in its state, `[S]`.
        source, action, compared, won: as in `Graph`; numbers of states may have gaps.
    """
    visits = np.bincount(source)
    # A table of a byte a place, since `identify` would sort.
    width = int(layout.group_sizes.max(initial=0))
    came = np.zeros(len(visits) * width, dtype=np.bool_)
    came[source * width + layout.turn_member] = True
    pool, size = source[compared], len(visits)
    has_rival = compared & _varies(action[compared], pool, size=size)[source]
    told_apart = _varies(credit[compared], pool, size=size)[source]
    num_states = int((visits > 0).sum())
    has_success = np.zeros(layout.num_groups, dtype=np.bool_)
    has_success[layout.episode_group[won]] = True
    return {
        "graph/rivals": share(has_rival),
        "graph/ties": share(~told_apart[has_rival]),
        "graph/singletons": share(visits[visits > 0] == 1),
        "graph/reach": np.count_nonzero(came) / max(num_states, 1),
        "graph/won_groups": share(has_success),
    }


def merge_rate(edge: IntArray) -> dict[str, float]:
    """The metric `graph/merge_rate`: share of turns whose edge occurs more than once."""
    return {"graph/merge_rate": share(np.bincount(edge)[edge] > 1)}


def _varies(values: IntArray | FloatArray, pool: IntArray, *, size: int) -> BoolArray:
    """Which pools hold values that differ, `[size]`."""
    one_of = np.zeros(size, dtype=values.dtype)
    one_of[pool] = values
    varies = np.zeros(size, dtype=np.bool_)
    varies[pool[np.abs(values - one_of[pool]) > NEGLIGIBLE]] = True
    return varies

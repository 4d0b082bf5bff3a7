"""The graph schemes of one group with dictionaries and loops, each straight from its equation."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

WON, LOST = ("sink", "won"), ("sink", "lost")
TIE = 1e-6
EPS = 1e-6

Std: TypeAlias = Literal["population", "sample", "none"]
Rows: TypeAlias = list[list[float]]
Values: TypeAlias = Mapping[Hashable, float]


@dataclass(frozen=True, kw_only=True)
class Walk:
    """An episode: the state that each turn left, what was done, what it earned; and the end."""

    states: Sequence[Hashable]
    actions: Sequence[Hashable]
    rewards: Sequence[float]
    cut: Sequence[bool]
    won: bool
    outcome: float

    @property
    def targets(self) -> list[Hashable]:
        """The node that each turn led to."""
        if not self.states:
            return []
        return [*self.states[1:], WON if self.won else LOST]


Group: TypeAlias = Sequence[Walk]


def moves(group: Group) -> dict[Hashable, list[Hashable]]:
    """The nodes that followed on each state, once an occurrence."""
    found: dict[Hashable, list[Hashable]] = defaultdict(list)
    for walk in group:
        for state, target in zip(walk.states, walk.targets, strict=True):
            found[state].append(target)
    return found


def closure(group: Group, gamma: float, sweeps: int = 100_000) -> dict[Hashable, float]:
    """Sweeps of `V(s) = gamma mean V(next)` until nothing moves, from V = 0."""
    following = moves(group)
    values: dict[Hashable, float] = dict.fromkeys(following, 0.0) | {WON: 1.0, LOST: 0.0}
    for _ in range(sweeps):
        moved = 0.0
        for state, targets in following.items():
            new = gamma * statistics.fmean(values[target] for target in targets)
            moved = max(moved, abs(new - values[state]))
            values[state] = new
        if moved < 1e-13:
            break
    return values


def distances(group: Group) -> dict[Hashable, float]:
    """Turns to success, relaxed until nothing moves."""
    following = moves(group)
    far: dict[Hashable, float] = dict.fromkeys(following, math.inf) | {WON: 0.0, LOST: math.inf}
    for _ in following:
        for state, targets in following.items():
            far[state] = min(far[state], 1 + min(far[target] for target in targets))
    return far


def returns(rewards: Sequence[float], gamma: float) -> list[float]:
    """The discounted sum from each turn on."""
    return [
        sum(gamma ** (later - now) * rewards[later] for later in range(now, len(rewards)))
        for now in range(len(rewards))
    ]


def visit_means(group: Group, values: Rows, success: float) -> dict[Hashable, float]:
    """The mean of the turns' values over all visits of a state."""
    found: dict[Hashable, list[float]] = defaultdict(list)
    for walk, row in zip(group, values, strict=True):
        for state, value in zip(walk.states, row, strict=True):
            found[state].append(value)
    means: dict[Hashable, float] = {state: statistics.fmean(some) for state, some in found.items()}
    return means | {WON: success, LOST: 0.0}


def score(value: float, pool: Sequence[float], std: Std) -> float:
    """How far a value is above the mean of its pool; 0 where the pool is a tie."""
    if max(pool) - min(pool) < TIE:
        return 0.0
    centred = value - statistics.fmean(pool)
    if std == "none":
        return centred
    deviation = statistics.stdev(pool) if std == "sample" else statistics.pstdev(pool)
    return centred / (deviation + EPS)


def among(group: Group, values: Rows, pools: Sequence[Sequence[Hashable]], std: Std) -> Rows:
    """Each turn's value among those of its pool; a cut turn is in none."""
    found: dict[Hashable, list[float]] = defaultdict(list)
    for walk, row, keys in zip(group, values, pools, strict=True):
        for cut, value, key in zip(walk.cut, row, keys, strict=True):
            if not cut:
                found[key].append(value)
    return [
        [
            0.0 if cut else score(value, found[key], std)
            for cut, value, key in zip(walk.cut, row, keys, strict=True)
        ]
        for walk, row, keys in zip(group, values, pools, strict=True)
    ]


def siblings(group: Group) -> list[Sequence[Hashable]]:
    """The pool of each turn: the state that it left."""
    return [walk.states for walk in group]


def successors(group: Group, values: Values) -> Rows:
    """The value of the node that each turn led to."""
    return [[values[target] for target in walk.targets] for walk in group]


def rises(group: Group, values: Values, gamma: float = 1.0) -> Rows:
    """How far the next node's value, discounted, is above the state's."""
    return [
        [
            gamma * values[target] - values[state]
            for state, target in zip(walk.states, walk.targets, strict=True)
        ]
        for walk in group
    ]


def episode_term(group: Group, std: Std, by_turn: bool, unit: float = 1.0) -> Rows:
    """The outcome among the outcomes, an episode once or once a turn."""
    pool = [
        unit * walk.outcome for walk in group for _ in range(len(walk.states) if by_turn else 1)
    ]
    return [
        [score(unit * walk.outcome, pool, std) for _ in walk.states] if pool else []
        for walk in group
    ]


def plus(first: Rows, second: Rows, weight: float = 1.0) -> Rows:
    """The sum of two tables, the second weighted."""
    return [
        [a + weight * b for a, b in zip(row, other, strict=True)]
        for row, other in zip(first, second, strict=True)
    ]


def gigpo(group: Group, std: Std, by_turn: bool) -> Rows:
    """Episode term plus the return among those from the same state."""
    totals = [returns(walk.rewards, 0.95) for walk in group]
    return plus(episode_term(group, std, by_turn), among(group, totals, siblings(group), std))


def hgpo(group: Group, std: Std, history: int = 2) -> Rows:
    """The weighted mean, over history lengths, of the return among those with the same past."""
    totals = [returns(walk.rewards, 0.95) for walk in group]
    tables = []
    for length in range(1, history + 2):
        pasts: list[list[Hashable]] = [
            [tuple(walk.states[max(0, t + 1 - length) : t + 1]) for t in range(len(walk.states))]
            for walk in group
        ]
        tables.append((length + 1, among(group, totals, pasts, std)))
    rows: Rows = []
    for member, walk in enumerate(group):
        row = []
        for turn in range(len(walk.states)):
            found = [(w, table[member][turn]) for w, table in tables]
            kept = [(w, value) for w, value in found if abs(value) > 1e-9]
            total = sum(w for w, _ in kept)
            row.append(sum(w * value for w, value in kept) / total if kept else 0.0)
        rows.append(row)
    return rows


def graphgpo(group: Group, std: Std, by_turn: bool, decay: float = 0.1) -> Rows:
    """Episode term plus `10 decay^d` of the next node among those from the same state."""
    far = distances(group)
    worst = max(value for value in far.values() if value < math.inf) + 1
    values = {node: 10 * decay ** min(value, worst) for node, value in far.items()}
    step = among(group, successors(group, values), siblings(group), std)
    return plus(episode_term(group, std, by_turn, 10.0), step)


def g2po(group: Group, std: Std, by_turn: bool) -> Rows:
    """Episode term, next node among those from the same state, rise among all turns."""
    worth = [
        [10 * walk.won * 0.95 ** (len(walk.states) - t) for t in range(len(walk.states))]
        for walk in group
    ]
    values = visit_means(group, worth, 10.0)
    node = among(group, successors(group, values), siblings(group), std)
    everybody: list[list[Hashable]] = [[0] * len(walk.states) for walk in group]
    edge = among(group, rises(group, values), everybody, std)
    return plus(plus(episode_term(group, std, by_turn, 10.0), node), edge)


def graft(group: Group, gamma: float = 0.99) -> Rows:
    """The one-step gain on the closure among those from the same state."""
    gains = rises(group, closure(group, gamma), gamma)
    return among(group, gains, siblings(group), "sample")


def graphhca(group: Group, by_turn: bool = False) -> Rows:
    """Episode term plus the rise of the closure's floored logarithm."""
    logs = {node: math.log(max(v, 0.01)) for node, v in closure(group, 0.95).items()}
    step = among(group, rises(group, logs), siblings(group), "sample")
    return plus(episode_term(group, "sample", by_turn), step)


def rewardflow(group: Group, std: Std, by_turn: bool = False) -> Rows:
    """Episode term plus the rise of `10 .9^d`, which is 0 where there is no way."""
    values = {node: 10 * 0.9**far for node, far in distances(group).items()}
    step = among(group, rises(group, values), siblings(group), std)
    return plus(episode_term(group, std, by_turn, 10.0), step)


def crbc(group: Group, weight: float = 5.0) -> Rows:
    """Episode term plus the centred action value over its floored deviation; a cut turn is in no
    mean and has no credit of its own."""
    values = closure(group, 0.98)
    results: dict[tuple[Hashable, Hashable], list[float]] = defaultdict(list)
    for walk in group:
        for state, action, target, cut in zip(
            walk.states, walk.actions, walk.targets, walk.cut, strict=True
        ):
            if not cut:
                results[state, action].append(0.98 * values[target])
    means = {choice: statistics.fmean(some) for choice, some in results.items()}
    rows = []
    for walk in group:
        row = []
        for state, action, cut in zip(walk.states, walk.actions, walk.cut, strict=True):
            here = {c: len(some) for c, some in results.items() if c[0] == state}
            if cut or max(means[c] for c in here) - min(means[c] for c in here) < TIE:
                row.append(0.0)
                continue
            visits = sum(here.values())
            middle = sum(count * means[c] for c, count in here.items()) / visits
            square = sum(count * (means[c] - middle) ** 2 for c, count in here.items()) / visits
            row.append((means[state, action] - middle) / max(math.sqrt(square), 0.1))
        rows.append(row)
    return plus(episode_term(group, "sample", False), rows, weight)

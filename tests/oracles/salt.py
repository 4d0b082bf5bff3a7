"""SALT of one group with tuples and dictionaries, straight from its definition."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Step:
    """One executed action, the observation that answered, and whether the turn was cut."""

    action: Hashable
    observation: str
    cut: bool


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """An episode: its first observation and its steps."""

    first: str
    steps: Sequence[Step]


def edges(rollout: Rollout, key_window: int) -> list[tuple[Hashable, Hashable, Hashable]]:
    """(state before, action, state after) of every step.

    A state is the last `key_window` entries of the history, which begins with the root.
    """
    history: list[Hashable] = [("root", rollout.first)]
    found: list[tuple[Hashable, Hashable, Hashable]] = []
    for step in rollout.steps:
        before = tuple(history[-key_window:])
        history.append((step.action, step.observation))
        found.append((before, step.action, tuple(history[-key_window:])))
    return found


def salt(
    rollouts: Sequence[Rollout], advantages: Sequence[float], key_window: int
) -> list[list[float]]:
    """The advantage of every step: the mean over all occurrences of its edge, if it has others."""
    votes: defaultdict[Hashable, list[float]] = defaultdict(list)
    for rollout, advantage in zip(rollouts, advantages, strict=True):
        for step, edge in zip(rollout.steps, edges(rollout, key_window), strict=True):
            if not step.cut:
                votes[edge].append(advantage)
    return [
        [
            advantage if step.cut else statistics.fmean(votes[edge])
            for step, edge in zip(rollout.steps, edges(rollout, key_window), strict=True)
        ]
        for rollout, advantage in zip(rollouts, advantages, strict=True)
    ]

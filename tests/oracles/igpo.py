"""IGPO's combination of one group, straight from its definition: loops over members and turns."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

Gains = Sequence[float | None]
"""The gain of every turn of an episode; None where there is none."""


def igpo(
    gains: Sequence[Gains], outcomes: Sequence[float], *, joint: bool, std: bool, gamma: float
) -> list[list[float]]:
    """The discounted return of every turn, over normalised gains and outcomes."""
    gain_pool = [gain for row in gains for gain in row if gain is not None]
    outcome_pool = list(outcomes)
    if joint:
        gain_pool = outcome_pool = gain_pool + outcome_pool
    advantages: list[list[float]] = []
    for row, outcome in zip(gains, outcomes, strict=True):
        rewards = [0.0 if gain is None else score(gain, gain_pool, std=std) for gain in row]
        rewards[-1] += score(outcome, outcome_pool, std=std)
        advantages.append(
            [
                sum(gamma ** (later - now) * rewards[later] for later in range(now, len(rewards)))
                for now in range(len(rewards))
            ]
        )
    return advantages


def score(value: float, pool: Sequence[float], *, std: bool) -> float:
    """How far the value is above the pool's mean, in standard deviations if asked."""
    if max(pool) - min(pool) < 1e-4:
        return 0.0
    centred = value - statistics.fmean(pool)
    return centred / (statistics.pstdev(pool) + 1e-6) if std else centred

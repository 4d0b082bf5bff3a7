"""Outcome advantages of one group, each straight from its equation."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def mean(outcomes: Sequence[float]) -> list[float]:
    """R less the group's mean."""
    return [outcome - statistics.fmean(outcomes) for outcome in outcomes]


def rloo(outcomes: Sequence[float]) -> list[float]:
    """R less the mean of the others."""
    if len(outcomes) == 1:
        return [0.0]
    return [
        outcome - statistics.fmean([*outcomes[:index], *outcomes[index + 1 :]])
        for index, outcome in enumerate(outcomes)
    ]


def grpo_sample(outcomes: Sequence[float]) -> list[float]:
    """Centred, over the standard deviation with n - 1."""
    if max(outcomes) == min(outcomes):
        return [0.0] * len(outcomes)
    return [value / (statistics.stdev(outcomes) + 1e-6) for value in mean(outcomes)]


def grpo_population(outcomes: Sequence[float]) -> list[float]:
    """Centred, over the standard deviation with n."""
    if max(outcomes) == min(outcomes):
        return [0.0] * len(outcomes)
    return [value / (statistics.pstdev(outcomes) + 1e-6) for value in mean(outcomes)]


BASES = {
    "dr_grpo": mean,
    "mean": mean,
    "rloo": rloo,
    "grpo_sample": grpo_sample,
    "grpo_population": grpo_population,
}

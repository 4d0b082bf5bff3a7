"""REINFORCE++ token by token: every sampled token carries what its episode came to."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def reinforce_pp(
    groups: Sequence[Sequence[tuple[float, int]]], *, baseline: bool
) -> list[list[float]]:
    """The advantage of every episode, given (outcome, sampled tokens) group by group."""
    carried = []
    for group in groups:
        mean = statistics.fmean(outcome for outcome, _ in group) if baseline and group else 0.0
        carried.append([outcome - mean for outcome, _ in group])
    tokens = [
        value
        for values, group in zip(carried, groups, strict=True)
        for value, (_, size) in zip(values, group, strict=True)
        for _ in range(size)
    ]
    if not tokens or max(tokens) - min(tokens) < 1e-6:
        return [[0.0] * len(values) for values in carried]
    mean, variance = statistics.fmean(tokens), statistics.variance(tokens)
    return [[(value - mean) / math.sqrt(variance + 1e-8) for value in v] for v in carried]

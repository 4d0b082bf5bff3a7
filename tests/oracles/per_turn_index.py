"""Schemes that compare the k-th turns of a group with each other, by loops over turn indices."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def z_scores(values: Sequence[float], *, eps: float, min_spread: float) -> list[float]:
    """Over the standard deviation with n - 1; 0 where there is nothing to compare."""
    if max(values) - min(values) < min_spread:
        return [0.0] * len(values)
    mean, deviation = statistics.fmean(values), statistics.stdev(values)
    return [(value - mean) / (deviation + eps) for value in values]


def by_index(
    rows: Sequence[Sequence[float | None]], *, eps: float, min_spread: float
) -> list[list[float]]:
    """The score of every value among those with its index; 0 where there is none."""
    scores = [[0.0] * len(row) for row in rows]
    for k in range(max(map(len, rows), default=0)):
        pool = [(i, row[k]) for i, row in enumerate(rows) if k < len(row)]
        known = [(i, value) for i, value in pool if value is not None]
        if not known:
            continue
        found = z_scores([value for _, value in known], eps=eps, min_spread=min_spread)
        for (i, _), score in zip(known, found, strict=True):
            scores[i][k] = score
    return scores


def mt_grpo(
    rewards: Sequence[Sequence[float]], outcomes: Sequence[float], *, weight: float
) -> list[list[float]]:
    """Own reward and outcome on every turn but the last, which has the outcome alone."""
    own = by_index([row[:-1] for row in rewards], eps=1e-4, min_spread=1e-6)
    total = z_scores(outcomes, eps=1e-4, min_spread=1e-6)
    return [
        [outcome + weight * score for score in row] + [outcome] * bool(reward)
        for row, outcome, reward in zip(own, total, rewards, strict=True)
    ]


def a2tgpo(
    gains: Sequence[Sequence[float | None]],
    outcomes: Sequence[float],
    *,
    alpha: float,
    gamma: float,
) -> list[list[float]]:
    """The outcome, and alpha times the scaled sum of the gains' scores from each turn on."""
    scores = by_index(gains, eps=1e-6, min_spread=1e-4)
    total = z_scores(outcomes, eps=1e-6, min_spread=1e-4)
    advantages = []
    for row, known, outcome in zip(scores, gains, total, strict=True):
        credit = []
        for now in range(len(row)):
            terms = [
                gamma ** (later - now) * row[later]
                for later in range(now, len(row))
                if known[later] is not None
            ]
            credit.append(outcome + alpha * sum(terms) / math.sqrt(max(len(terms), 1)))
        advantages.append(credit)
    return advantages


def clip_scales(gains: Sequence[Sequence[float | None]], *, width: float) -> list[list[float]]:
    """What multiplies the clipping range of every turn, from its gain's score."""
    scores = by_index(gains, eps=1e-6, min_spread=1e-4)
    return [[1 + width * (2 / (1 + math.exp(-z)) - 1) for z in row] for row in scores]

"""Centring and scaling values among those they compete with: the normaliser of all schemes."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from agentgym.trainers.credit.layout import FloatArray, IntArray

Std: TypeAlias = Literal["population", "sample", "none"]
"""Which standard deviation divides: over n, over n - 1, or none (values are centred only)."""


def normalize(
    values: FloatArray, pool: IntArray, *, num_pools: int, std: Std, eps: float, min_spread: float
) -> FloatArray:
    """The values less their pool's mean, over its standard deviation plus `eps`.

    A pool whose largest and smallest value are less than `min_spread` apart (a single value is
    one) gives exactly 0. `eps` alone would not do: it lets rounding noise through, enlarged.

    Args:
        values: `[V]`.
        pool: `[V]`, the pool of each value, below `num_pools`.
        min_spread: above 0, in the unit of the values.

    Returns:
        `[V]`, parallel to `values`.
    """
    low, high = np.full(num_pools, np.inf), np.full(num_pools, -np.inf)
    np.minimum.at(low, pool, values)
    np.maximum.at(high, pool, values)
    count = np.bincount(pool, minlength=num_pools)
    # An empty pool has no value to read the mean of; 1 keeps it from dividing by zero.
    mean = np.bincount(pool, weights=values, minlength=num_pools) / np.maximum(count, 1)
    flat = high - low < min_spread
    centred = np.where(flat[pool], 0.0, values - mean[pool])
    if std == "none":
        return centred
    squares = np.bincount(pool, weights=centred**2, minlength=num_pools)
    # The count less one makes the variance unbiased. Pools of one or none are flat.
    divisor = np.maximum(count - 1, 1) if std == "sample" else np.maximum(count, 1)
    scale = np.where(flat, 1.0, np.sqrt(squares / divisor) + eps)
    return np.asarray(centred / scale[pool])


def whiten(values: FloatArray, weights: FloatArray, *, eps: float, min_spread: float) -> FloatArray:
    """The values less their weighted mean, over their standard deviation.

    Values that are less than `min_spread` apart give exactly 0.

    Args:
        values: `[V]`.
        weights: `[V]`, how often each value counts; 0 leaves it out of mean and deviation.
        eps: added to the variance.
        min_spread: above 0, in the unit of the values.

    Returns:
        `[V]`, parallel to `values`.
    """
    counted = values[weights > 0]
    if not counted.size or np.ptp(counted) < min_spread:
        return np.zeros_like(values)
    total = weights.sum()
    centred = values - (weights * values).sum() / total
    # The count less one makes the variance unbiased.
    variance = (weights * centred**2).sum() / max(total - 1, 1)
    return np.asarray(centred / np.sqrt(variance + eps))

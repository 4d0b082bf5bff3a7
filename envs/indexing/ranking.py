"""The best rows of a score, in an order that never depends on chance."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.floating]
Rows: TypeAlias = npt.NDArray[np.intp]


def best_rows(scores: Floats, rows: Rows, topk: int) -> Rows:
    """At most `topk` of the rows, by falling score; among equal scores, by row.

    Args:
        scores: `[P]`, of all rows.
        rows: those to choose from, rising. Partitioning a mass of equal zeros is slow: leave out
            what cannot be meant.

    >>> best_rows(np.array([1.0, 3.0, 0.0, 3.0]), np.array([0, 1, 3]), 2).tolist()
    [1, 3]
    """
    if len(rows) > topk:
        lowest = np.partition(scores[rows], len(rows) - topk)[len(rows) - topk]
        rows = rows[scores[rows] >= lowest]
    return rows[np.argsort(-scores[rows], kind="stable")][:topk]

"""Attention of one sequence, token by token and head by head, from its definition."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def causal_attention(
    query: Floats, key: Floats, value: Floats, *, scaling: float, window: int | None
) -> Floats:
    """What every token attends to: all tokens up to itself, or the last `window` of them.

    Args:
        query: `[tokens, heads, size]`.
        key: `[tokens, key heads, size]`; consecutive query heads share one.
        value: likewise.
    """
    num_tokens, num_heads, _ = query.shape
    shared = num_heads // key.shape[1]
    attended = np.zeros_like(query)
    for token in range(num_tokens):
        first = 0 if window is None else max(0, token - window + 1)
        for head in range(num_heads):
            own = query[token, head]
            scores = [
                scaling * float(own @ key[seen, head // shared]) for seen in range(first, token + 1)
            ]
            top = max(scores)
            weights = [math.exp(score - top) for score in scores]
            for seen, weight in zip(range(first, token + 1), weights, strict=True):
                attended[token, head] += weight / sum(weights) * value[seen, head // shared]
    return attended

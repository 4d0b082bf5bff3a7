"""PPO's clipped surrogate and the k3 estimate of KL, entry by entry, with their derivatives."""

from __future__ import annotations

import math


def surrogate(
    logprob: float, old: float, advantage: float, *, low: float, high: float
) -> tuple[float, float]:
    """The loss of one entry and its derivative by `logprob`."""
    ratio = math.exp(logprob - old)
    bound = min(max(ratio, 1 - low), 1 + high)
    loss = -min(ratio * advantage, bound * advantage)
    clipped = (advantage > 0 and ratio > 1 + high) or (advantage < 0 and ratio < 1 - low)
    # d ratio / d logprob = ratio; a clipped entry does not move with its logprob at all.
    return loss, 0.0 if clipped else -advantage * ratio


def k3(logprob: float, reference: float) -> tuple[float, float]:
    """r - 1 - log r with r = reference / policy, and its derivative by `logprob`."""
    ratio = math.exp(reference - logprob)
    return ratio - 1 - (reference - logprob), 1 - ratio

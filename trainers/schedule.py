"""The learning rate of a step: it rises linearly, and falls linearly from the first step on."""

from __future__ import annotations


def learning_rate(
    peak: float, step: int, *, num_steps: int, warmup: int, last_share: float
) -> float:
    """The learning rate of a step, counted from 0.

    Args:
        warmup: steps in which it rises to its peak.
        last_share: of the peak, what it would have fallen to after the last step.
    """
    warmth = min(1.0, (step + 1) / max(1, warmup))
    return peak * warmth * (1 - (1 - last_share) * step / num_steps)

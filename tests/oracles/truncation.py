"""What truncated samplers draw from, written from the definitions, in plain floats.

Nucleus: Holtzman et al. 2020, section 3.1. Top-k: Fan et al. 2018, section 5.1. Min-p: Nguyen et
al. 2024, section 3. Where several are set a token must pass each of them on its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def softmax(logits: Sequence[float], temperature: float) -> list[float]:
    """Probabilities at a temperature."""
    highest = max(logits)
    powers = [math.exp((logit - highest) / temperature) for logit in logits]
    return [power / math.fsum(powers) for power in powers]


def nucleus(probs: Sequence[float], top_p: float) -> set[int]:
    """The likeliest tokens, as few as have at least this probability together."""
    found: set[int] = set()
    for token in sorted(range(len(probs)), key=lambda token: -probs[token]):
        if math.fsum(probs[t] for t in found) >= top_p:
            break
        found.add(token)
    return found


def top(probs: Sequence[float], top_k: int) -> set[int]:
    """So many of the likeliest tokens."""
    return set(sorted(range(len(probs)), key=lambda token: -probs[token])[:top_k])


def at_least(probs: Sequence[float], min_p: float) -> set[int]:
    """The tokens at least this many times as likely as the likeliest."""
    return {token for token, prob in enumerate(probs) if prob >= min_p * max(probs)}

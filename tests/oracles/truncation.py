"""What truncated samplers draw from, written from the definitions, in plain floats.

Nucleus: Holtzman et al. 2020, section 3.1. Top-k: Fan et al. 2018, section 5.1. Min-p: Nguyen et
al. 2024, section 3. Where several are set a token must pass each of them on its own. The first two
do not say which of equally likely tokens come first; here all pass that are as likely as the last.
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
    """The likeliest tokens, as few as have at least this probability together, and their equals."""
    found: set[int] = set()
    for token in sorted(range(len(probs)), key=lambda token: -probs[token]):
        if math.fsum(probs[t] for t in found) >= top_p:
            break
        found.add(token)
    return at_least_as_likely(probs, min(probs[t] for t in found))


def top(probs: Sequence[float], top_k: int) -> set[int]:
    """So many of the likeliest tokens, and those that are as likely as the last of them."""
    return at_least_as_likely(probs, sorted(probs, reverse=True)[:top_k][-1])


def at_least(probs: Sequence[float], min_p: float) -> set[int]:
    """The tokens at least this many times as likely as the likeliest."""
    return at_least_as_likely(probs, min_p * max(probs))


def at_least_as_likely(probs: Sequence[float], bound: float) -> set[int]:
    """The tokens of at least this probability."""
    return {token for token, prob in enumerate(probs) if prob >= bound}

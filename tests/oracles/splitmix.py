"""splitmix64 in Python's own integers, from figure 17 of Steele, Lea and Flood (2014)."""

from __future__ import annotations

GOLDEN = 0x9E3779B97F4A7C15
BITS = 2**64


def mix(bits: int) -> int:
    """The finaliser."""
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9 % BITS
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB % BITS
    return bits ^ (bits >> 31)


def stream(seed: int, count: int) -> list[int]:
    """The generator's first outputs: the mixed multiples of the golden gamma behind the seed."""
    return [mix((seed + (i + 1) * GOLDEN) % BITS) for i in range(count)]

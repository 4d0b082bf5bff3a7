"""TokenBucket: tokens that come at a rate, up to what the bucket holds."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction


class TokenBucket:
    """Full at first. Times are whole milliseconds, and tokens are counted exactly.

    Args:
        rate: tokens a second.
        size: how many it holds.
        clock: the time now.
    """

    def __init__(self, rate: int, size: int, clock: Callable[[], int]) -> None:
        if rate < 1 or size < 1:
            raise ValueError("rate and size must be positive")
        self.rate, self.size, self._clock = rate, size, clock
        self._tokens, self._seen = Fraction(size), clock()

    def _fill(self) -> None:
        now = self._clock()
        if now > self._seen:  # a clock that was set back brings no tokens, and takes none
            new = Fraction(self.rate * (now - self._seen), 1000)
            self._tokens = min(Fraction(self.size), self._tokens + new)
        self._seen = now

    def take(self, count: int = 1) -> bool:
        """Take tokens, all or none."""
        if count > self.size:
            raise ValueError(f"the bucket never holds {count} tokens")
        self._fill()
        if self._tokens < count:
            return False
        self._tokens -= count
        return True

    def wait_for(self, count: int = 1) -> int:
        """After how many milliseconds so many tokens will be there: the first such moment."""
        if count > self.size:
            raise ValueError(f"the bucket never holds {count} tokens")
        self._fill()
        lacking = count - self._tokens
        if lacking <= 0:
            return 0
        return -int(-lacking * 1000 // self.rate)

"""Limiter: a bucket for each client, forgotten when it is full again."""

from __future__ import annotations

from collections.abc import Callable

from bucket.tokens import TokenBucket


class Limiter:
    """Lets each client do something at a rate."""

    def __init__(self, rate: int, size: int, clock: Callable[[], int]) -> None:
        self._make = lambda: TokenBucket(rate, size, clock)
        self._buckets: dict[str, TokenBucket] = {}

    def allows(self, client: str) -> bool:
        """Whether a client may do it now; if so, it counts."""
        if client not in self._buckets:
            self._buckets[client] = self._make()
        return self._buckets[client].take()

    def forget(self) -> int:
        """Forget the clients that have all their tokens; how many were forgotten."""
        full = [name for name, each in self._buckets.items() if each.wait_for(each.size) == 0]
        for name in full:
            del self._buckets[name]
        return len(full)

"""Cache: the values used last, for as long as they are good."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

MISSING = object()


class Cache:
    """Keeps at most `size` values, each for `ttl` seconds after it was put.

    Where there is no room, what has expired goes first, then what was not used for the longest
    time. Reading a value is a use of it, and does not make it live longer.
    """

    def __init__(self, size: int, ttl: float, clock: Callable[[], float]) -> None:
        if size < 1:
            raise ValueError(f"size must be at least 1, not {size}")
        self.size, self.ttl, self.hits, self.misses = size, ttl, 0, 0
        self._clock = clock
        self._kept: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()

    def get(self, key: Hashable, default: Any = None) -> Any:
        """The value of a key, if it is there and good."""
        until, value = self._kept.get(key, (0.0, MISSING))
        if value is MISSING or until <= self._clock():
            self._kept.pop(key, None)
            self.misses += 1
            return default
        self._kept.move_to_end(key)
        self.hits += 1
        return value

    def put(self, key: Hashable, value: Any) -> None:
        """Keep a value from now on."""
        self._kept.pop(key, None)
        if len(self._kept) >= self.size:
            self._make_room()
        self._kept[key] = (self._clock() + self.ttl, value)

    def _make_room(self) -> None:
        now = self._clock()
        for key in [key for key, (until, _) in self._kept.items() if until <= now]:
            del self._kept[key]
        while len(self._kept) >= self.size:
            self._kept.popitem(last=False)

    def __len__(self) -> int:
        """How many values are good now."""
        now = self._clock()
        return sum(until > now for until, _ in self._kept.values())

    def __contains__(self, key: Hashable) -> bool:
        """Whether a value is good now; no use of it."""
        return key in self._kept and self._kept[key][0] > self._clock()

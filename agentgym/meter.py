"""Meter: where the seconds went, phase by phase, and how often something happened.

At any time one phase counts: the one that computes, else the one that is waited for. So phases
that overlap, such as hundreds of environments at work, add up to the time on the wall.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a meter found."""

    seconds: Mapping[str, float]
    """By phase; they add up to no more than the time on the wall."""
    counts: Mapping[str, int]


class Meter:
    """Measures one thread's work; the parts of a train step share one."""

    def __init__(
        self,
        *,
        finish: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Begin.

        Args:
            finish: waits for what a phase has set going, such as a GPU's work.
            now: what the time is, in seconds.
        """
        self._finish = finish
        self._now = now
        self._computing: list[str] = []
        self._awaited: Counter[str] = Counter()
        self._seconds: dict[str, float] = {}
        self._counts: Counter[str] = Counter()
        self._since = now()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Inside, time counts for this phase, but for phases within it. Nothing may be awaited."""
        self._charge()
        self._computing.append(name)
        try:
            yield
        finally:
            self._finish()
            self._charge()
            self._computing.pop()

    @contextmanager
    def awaiting(self, name: str) -> Iterator[None]:
        """Inside, time counts for this phase while nothing computes."""
        self._charge()
        self._awaited[name] += 1
        try:
            yield
        finally:
            self._charge()
            self._awaited[name] -= 1

    def split(self, name: str, shares: Mapping[str, float]) -> None:
        """Give what a phase has so far to others, by their shares."""
        seconds, whole = self._seconds.pop(name, 0.0), sum(shares.values())
        for other, share in shares.items():
            self._add(other, seconds * share / whole)

    def count(self, name: str, number: int = 1) -> None:
        """Something happened so many times."""
        self._counts[name] += number

    def read(self) -> Reading:
        """What was found since the last reading; begin anew."""
        self._charge()
        found = Reading(seconds=self._seconds, counts=self._counts)
        self._seconds, self._counts = {}, Counter()
        return found

    def _charge(self) -> None:
        now = self._now()
        waiting = [name for name, number in self._awaited.items() if number]
        if self._computing:
            self._add(self._computing[-1], now - self._since)
        elif waiting:
            self._add(waiting[0], now - self._since)
        self._since = now

    def _add(self, name: str, seconds: float) -> None:
        self._seconds[name] = self._seconds.get(name, 0.0) + seconds

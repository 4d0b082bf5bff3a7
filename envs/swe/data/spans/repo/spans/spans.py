"""Spans: a set of half-open spans [begin, end), kept apart and in order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Span = tuple[int, int]


class Spans:
    """Spans that touch or overlap become one; empty ones are none."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._begins: list[int] = []
        self._ends: list[int] = []
        for begin, end in spans:
            self.add(begin, end)

    def add(self, begin: int, end: int) -> None:
        """Add a span."""
        if begin >= end:
            return
        first = bisect_left(self._ends, begin)  # a span that ends where this begins is joined
        last = bisect_right(self._begins, end)
        if first < last:
            begin = min(begin, self._begins[first])
            end = max(end, self._ends[last - 1])
        self._begins[first:last] = [begin]
        self._ends[first:last] = [end]

    def remove(self, begin: int, end: int) -> None:
        """Take a span away, from the middle of another if need be."""
        if begin >= end:
            return
        first = bisect_right(self._ends, begin)
        last = bisect_left(self._begins, end)
        if first >= last:
            return
        left, right = (self._begins[first], begin), (end, self._ends[last - 1])
        kept = [span for span in (left, right) if span[0] < span[1]]
        self._begins[first:last] = [each[0] for each in kept]
        self._ends[first:last] = [each[1] for each in kept]

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._begins, number)
        return place > 0 and number < self._ends[place - 1]

    def __iter__(self) -> Iterator[Span]:
        return iter(zip(self._begins, self._ends, strict=True))

    def __len__(self) -> int:
        """How many numbers are in it."""
        return sum(end - begin for begin, end in self)

    def __and__(self, other: Spans) -> Spans:
        """What is in both."""
        found = Spans()
        for begin, end in self:
            for other_begin, other_end in other:
                found.add(max(begin, other_begin), min(end, other_end))
        return found

    def __sub__(self, other: Spans) -> Spans:
        """What is in this one alone."""
        found = Spans(self)
        for begin, end in other:
            found.remove(begin, end)
        return found

    def __repr__(self) -> str:
        return f"Spans({list(self)})"

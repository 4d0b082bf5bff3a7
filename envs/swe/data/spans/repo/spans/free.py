"""Finds times at which nobody is busy."""

from __future__ import annotations

from collections.abc import Iterable

from spans.spans import Span, Spans


def find_free(hours: Span, busy: Iterable[Iterable[Span]], length: int) -> list[Span]:
    """The spans within some hours, at least so long, in which none of the people is busy."""
    if length < 1:
        raise ValueError(f"the length must be positive, not {length}")
    left = Spans([hours])
    for person in busy:
        left = left - Spans(person)
    return [(begin, end) for begin, end in left if end - begin >= length]

"""Tries again, after longer and longer delays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def delays(first: int, factor: int, most: int, tries: int) -> Iterator[int]:
    """The delays between so many tries: each the one before times a factor, up to the most."""
    delay = first
    for _ in range(tries - 1):
        yield min(delay, most)
        delay *= factor


def retry(
    what: Callable[[], Any],
    waits: Iterator[int],
    sleep: Callable[[int], None],
    only: type[Exception] = Exception,
) -> Any:
    """What it gives, after as many tries as it takes; the last error where no wait is left."""
    while True:
        try:
            return what()
        except only:
            wait = next(waits, None)
            if wait is None:
                raise
        sleep(wait)

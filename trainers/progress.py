"""Live progress: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

LINES = 10
"""Plain lines per phase when the output is no terminal; more where they would be far apart."""
SILENCE = 60.0
"""Seconds without a plain line, after which the next unit gets one."""

Advance = Callable[[int, str], None]


def say(text: str) -> None:
    """One line for people."""
    print(text, flush=True)


@contextmanager
def phase(title: str, *, total: int, shown: bool, first: int = 0) -> Iterator[Advance]:
    """Progress through `total` units; call the result with the count done and a remark.

    Args:
        first: how many are done before it begins.
    """
    if not shown:
        yield lambda done, remark: None
    elif Console().is_terminal:
        yield from _bar(title, total, Clock(total, first=first))
    else:
        yield from plain_lines(title, total, Clock(total, first=first))


class Clock:
    """How long a phase took so far, and how long it will still take.

    Args:
        first: how many of the `total` units are done at the start.
        now: what the time is, in seconds.
    """

    def __init__(
        self, total: int, *, first: int = 0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._total = total
        self._now = now
        self._began = now()
        self._since = (self._began, first)
        self._counts = False

    @property
    def seconds(self) -> float:
        """Since the start."""
        return self._now() - self._began

    def eta(self, done: int) -> str:
        """The time that the rest will take by the mean of the units so far; "" after the last.

        The first call's units count only for its own answer: the time before it holds more than
        units, such as the evaluation before the first train step.
        """
        now = self._now()
        since, before = self._since
        if not self._counts:
            self._since, self._counts = (now, done), True
        if done >= self._total or done <= before:
            return ""
        return f"ETA {duration((now - since) / (done - before) * (self._total - done))}"


def duration(seconds: float) -> str:
    """A time to the precision that an estimate has.

    >>> duration(42.4), duration(200), duration(8000)
    ('42 s', '3 min', '2.2 h')
    """
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 99.5 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _bar(title: str, total: int, clock: Clock) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[eta]}"),
        TextColumn("{task.fields[remark]}"),
    )
    with Progress(*columns) as progress:
        task = progress.add_task(title, total=total, remark="", eta="")
        yield lambda done, remark: progress.update(
            task, completed=done, remark=remark, eta=clock.eta(done)
        )


def plain_lines(title: str, total: int, clock: Clock) -> Iterator[Advance]:
    """What `phase` does where the output is no terminal."""
    every = max(1, total // LINES)
    said = 0.0

    def advance(done: int, remark: str) -> None:
        nonlocal said
        eta, seconds = clock.eta(done), clock.seconds
        if done % every == 0 or done == total or seconds - said >= SILENCE:
            said = seconds
            parts = (f"{title} {done}/{total}", f"{seconds:.0f} s", eta, remark)
            say("  ".join(part for part in parts if part))

    yield advance

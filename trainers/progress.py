"""Live progress: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINES = 10
"""Plain lines per phase when the output is no terminal."""

Advance = Callable[[int, str], None]


def say(text: str) -> None:
    """One line for people."""
    print(text, flush=True)


@contextmanager
def phase(title: str, *, total: int, shown: bool) -> Iterator[Advance]:
    """Progress through `total` units; call the result with the count done and a remark."""
    if not shown:
        yield lambda done, remark: None
    elif Console().is_terminal:
        yield from _bar(title, total)
    else:
        yield from _lines(title, total)


def _bar(title: str, total: int) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[remark]}"),
    )
    with Progress(*columns) as progress:
        task = progress.add_task(title, total=total, remark="")
        yield lambda done, remark: progress.update(task, completed=done, remark=remark)


def _lines(title: str, total: int) -> Iterator[Advance]:
    began = time.monotonic()
    every = max(1, total // LINES)

    def advance(done: int, remark: str) -> None:
        if done % every == 0 or done == total:
            say(f"{title} {done}/{total}  {time.monotonic() - began:.0f} s  {remark}")

    yield advance

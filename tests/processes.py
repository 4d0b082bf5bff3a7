"""Which processes live below this one, and waiting for some to end."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

from agentgym.worker import BOOTSTRAP


def children() -> set[int]:
    """The processes below this one."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


def of_workers() -> set[int]:
    """The pools' workers and all below them; another test's browser or engine is none of these."""
    found = set()
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if BOOTSTRAP in child.cmdline():
                found |= {child.pid, *(each.pid for each in child.children(recursive=True))}
    return found


def wait_gone(pids: Iterable[int], *, timeout_s: float = 10.0) -> list[int]:
    """Those of the processes that still run when the time is over."""
    until = time.monotonic() + timeout_s
    while (alive := [pid for pid in pids if runs(pid)]) and time.monotonic() < until:
        time.sleep(0.02)
    return alive


def runs(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def with_word(word: str) -> list[int]:
    """The processes of this machine that have a word on their command line."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if word in (process.info["cmdline"] or ()):
            found.append(process.pid)
    return found

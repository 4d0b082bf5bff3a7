"""A program for tests: is killed at any moment of the start of a command in a sandbox.

Each time a fork of it, whose sandboxes no other one lists or removes.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from sandbox_as_nobody import become_nobody

from agentgym.sandboxes import owners
from agentgym.sandboxes.bubblewrap import Bubblewrap

NUM_DEATHS = 30


def main(sleeps: str, user: str) -> None:
    """Print by which signals the forks ended."""
    if user == "nobody":
        become_nobody()
    with tempfile.TemporaryDirectory() as folder:
        apart(Path(folder, "0"))
        with Bubblewrap() as sandbox:
            sandbox.exec("true", timeout_s=30)  # the first one takes longer
            started = time.monotonic()
            sandbox.exec("true", timeout_s=30)
            longest = 1.2 * (time.monotonic() - started)
        ends = {
            die(Path(folder, str(number)), sleeps, after_s=longest * number / NUM_DEATHS)
            for number in range(1, NUM_DEATHS + 1)
        }
        time.sleep(1.0)  # what dies with the last one
        for number in range(1, NUM_DEATHS + 1):
            forget(Path(folder, str(number)))
    print(ends)


def apart(folder: Path) -> None:
    """Keep sandboxes in a folder of their own."""
    folder.mkdir()
    tempfile.tempdir = str(folder)


def forget(folder: Path) -> None:
    """Remove the control groups of what was killed; what lives in one is left for the test."""
    tempfile.tempdir = str(folder)
    for each in owners.listed():
        groups = [Path(group) / each.folder.name for group in each.owner.groups]
        for group in filter(Path.is_dir, groups):
            with suppress(OSError):
                group.rmdir()


def die(folder: Path, sleeps: str, *, after_s: float) -> int:
    """Fork, and kill the fork so long after it begins a command; the signal that ended it."""
    begins, tells = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            apart(folder)
            sandbox = Bubblewrap()
            os.write(tells, b".")
            sandbox.exec(f"setsid sleep {sleeps} & exec sleep {sleeps}", timeout_s=600)
        finally:
            os._exit(1)
    os.close(tells)
    os.read(begins, 1)
    os.close(begins)
    time.sleep(after_s)
    os.kill(pid, signal.SIGKILL)
    return os.WTERMSIG(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    main(*sys.argv[1:])

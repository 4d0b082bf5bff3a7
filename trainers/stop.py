"""Ctrl-C as a request: finish what is under way, and end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from agentgym.trainers.progress import say
from agentgym.trainers.world import World


class Stopped(Exception):
    """What had to be left unfinished because the user asked to stop."""


class Stop:
    """Ctrl-C once: finish what is under way. Twice: stop now."""

    def __init__(self) -> None:
        self.asked = False
        self._under_way = "this step"

    @contextmanager
    def after(self, under_way: str) -> Iterator[None]:
        """Say that within the block a stop waits for this."""
        before, self._under_way = self._under_way, under_way
        try:
            yield
        finally:
            self._under_way = before

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        say(f"stopping after {self._under_way}; press Ctrl-C again to stop now")


@contextmanager
def stoppable(world: World) -> Iterator[Stop]:
    """Turn Ctrl-C into a request to stop, on the process that leads; others never see it."""
    stop = Stop()
    if not world.leads:
        yield stop
        return
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)

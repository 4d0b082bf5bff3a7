"""Ctrl-C as a request: finish what is under way, save, and end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from agentgym.trainers.progress import say
from agentgym.trainers.world import World


class Stop:
    """Ctrl-C once: finish the step and save. Twice: stop now."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        say("stopping after this step; press Ctrl-C again to stop now")


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

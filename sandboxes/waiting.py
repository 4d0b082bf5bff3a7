"""Waiting: containers that are started before they are asked for, and end with the program."""

from __future__ import annotations

import atexit
import threading
import time
from collections import defaultdict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property

from agentgym.sandboxes.container import Container, Spec

START_S = 60.0


class Waiting:
    """Started containers, by their kind."""

    def __init__(self) -> None:
        self._kinds: dict[Spec, deque[Future[Container]]] = defaultdict(deque)
        self._lock = threading.Lock()

    def take(self, spec: Spec, *, run: str, until: float, beside: int) -> Container:
        """A container of a kind, and so many others that are started beside it."""
        container = self._find(spec) if beside else None
        if container is None:
            container = Container(spec, run=run, until=until)
        with self._lock:
            waiting = self._kinds[spec]
            while len(waiting) < beside:
                started = time.monotonic() + START_S
                waiting.append(self._starter.submit(Container, spec, run=run, until=started))
        return container

    def _find(self, spec: Spec) -> Container | None:
        while True:
            with self._lock:
                waiting = self._kinds[spec]
                if not waiting:
                    return None
                started = waiting.popleft()
            container = started.result()
            if container.alive:
                return container
            container.close()

    @cached_property
    def _starter(self) -> ThreadPoolExecutor:
        atexit.register(self.close)
        return ThreadPoolExecutor(max_workers=1, thread_name_prefix="agentgym-containers")

    def close(self) -> None:
        """End those that nobody asked for."""
        with self._lock:
            kinds, self._kinds = self._kinds, defaultdict(deque)
        for started in (each for waiting in kinds.values() for each in waiting):
            started.result().close()


WAITING = Waiting()
"""Those of this program."""

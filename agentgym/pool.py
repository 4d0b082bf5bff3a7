"""Pool and Seat: where environments live, and how a coroutine calls one without waiting on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Protocol, Self

from gymnasium.envs.registration import EnvSpec

from agentgym.env import find_spec
from agentgym.errors import AgentGymError, UsageError
from agentgym.guard import GuardedEnv
from agentgym.types import DemonstratedTurn, Observation, Outcome, Reply, Status, Task
from agentgym.worker import Deadlines, Quarantine, Worker, encode


class Seat(Protocol):
    """One environment to play in; episode after episode.

    Whatever fails is an `AgentGymError`; a seat that failed once is not handed out again.
    """

    system_prompt: str
    """The environment's rules and action grammar, for the model."""
    expert_name: str | None
    """How its demonstrator plays, in a word; None where there is none."""

    async def reset(self, task: Task, *, seed: int) -> Observation:
        """Start the task."""
        ...

    async def step(self, text: str) -> Reply:
        """Act on what the model wrote, whatever it is."""
        ...

    async def demonstrate(
        self, *, seed: int, mistake: bool
    ) -> tuple[DemonstratedTurn, Status | None]:
        """Let the environment's demonstrator act; see `GuardedEnv.demonstrate`."""
        ...

    async def outcome(self) -> Outcome:
        """Grade the episode, once, after its end.

        Raises:
            ScoreError: grading failed.
        """
        ...

    async def close(self) -> None:
        """Close the environment; the pool does it for the seats it still holds."""
        ...


class Pool(Protocol):
    """Where environments live. Used with `async with`, or closed by its owner."""

    def seat(self) -> AbstractAsyncContextManager[Seat]:
        """A seat for as long as the `async with` block lasts; waits until one is free.

        Raises:
            AgentGymError: an environment was needed and could not be made.
        """
        ...

    async def close(self) -> tuple[AgentGymError, ...]:
        """Close every environment; gives the errors of those that would not close."""
        ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class InlinePool(Pool):
    """Environments in this process: plain calls that never suspend, in the caller's order.

    For environments in pure Python that answer in milliseconds: nothing protects from one that
    hangs or kills the process. As many seats as are asked for; their environments are reused.

    Args:
        max_turns: overrides the turn limit that the environment was registered with.
        args: the environment's own settings, on top of those it was registered with.
    """

    def __init__(
        self,
        env_id: str,
        *,
        max_turns: int | None = None,
        args: Mapping[str, Any] | None = None,
    ) -> None:
        self._spec = configured(find_spec(env_id), max_turns, args)
        self._free: list[InlineSeat] = []
        self._closed = False

    @asynccontextmanager
    async def seat(self) -> AsyncIterator[Seat]:
        """A free environment, or a new one."""
        refuse_closed(self._closed)
        seat = self._free.pop() if self._free else InlineSeat(self._spec)
        try:
            yield seat
        finally:
            if seat.broken or self._closed:
                with suppress(AgentGymError):  # a broken seat's episode already has its error
                    await seat.close()
            else:
                self._free.append(seat)

    async def close(self) -> tuple[AgentGymError, ...]:
        """Close the free environments; those in use are closed when they are given back."""
        self._closed = True
        seats, self._free = self._free, []
        found = [await closing_error(seat) for seat in seats]
        return tuple(error for error in found if error is not None)


class InlineSeat(Seat):
    """A seat whose environment lives in this process."""

    def __init__(self, spec: EnvSpec) -> None:
        self._env = GuardedEnv(spec)
        self._closed = False
        self.system_prompt = self._env.system_prompt
        self.expert_name = self._env.inner.expert_name

    @property
    def broken(self) -> bool:
        """Whether a call failed, or the environment is closed."""
        return self._closed or self._env.broken

    async def reset(self, task: Task, *, seed: int) -> Observation:
        """Start the task."""
        return self._env.reset(task, seed=seed)

    async def step(self, text: str) -> Reply:
        """Act on what the model wrote."""
        return self._env.step(text)

    async def demonstrate(
        self, *, seed: int, mistake: bool
    ) -> tuple[DemonstratedTurn, Status | None]:
        """Let the environment's demonstrator act."""
        return self._env.demonstrate(seed=seed, mistake=mistake)

    async def outcome(self) -> Outcome:
        """Grade the episode."""
        return self._env.outcome()

    async def close(self) -> None:
        """Close the environment; may be called twice."""
        self._closed = True
        self._env.close()


FIRST_S, LONGEST_S = 0.05, 10.0
"""How long to wait before a worker is replaced: the first in a row that was lost, and at most."""


class ProcessPool(Pool):
    """Environments in worker processes of their own, one each, every call under its deadline.

    A worker that hangs or dies costs its own episode; the next acquisition starts another, after a
    while that doubles as long as they are lost one after the other. A task that ended three gets no
    other: its episodes end at once. The workers outlive an event loop, so one pool serves a trainer
    that runs a loop per train step.

    Args:
        num_workers: how many seats there are at a time; a worker is started when first needed.
        max_turns: overrides the turn limit that the environment was registered with.
        args: the environment's own settings, on top of those it was registered with.

    Raises:
        UsageError: a fresh process could not import the environment: it is defined in
            `__main__` or inside a function, or its registered arguments cannot be pickled.
    """

    def __init__(
        self,
        env_id: str,
        *,
        num_workers: int,
        deadlines: Deadlines | None = None,
        max_turns: int | None = None,
        args: Mapping[str, Any] | None = None,
    ) -> None:
        if num_workers < 1:
            raise UsageError(f"num_workers must be at least 1, not {num_workers}")
        spec = importable(configured(find_spec(env_id), max_turns, args))
        self._boot_frame = encode("boot", (spec,))
        self._num_workers = num_workers
        self._deadlines = deadlines or Deadlines()
        self._free: list[Worker] = []
        self._quarantine, self._num_lost = Quarantine(), 0
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._slots = asyncio.Semaphore(num_workers)

    @asynccontextmanager
    async def seat(self) -> AsyncIterator[Seat]:
        """A free worker, or a new one while fewer than `num_workers` are in use."""
        refuse_closed(self._closed)
        async with self._slots_of_this_loop():
            worker = await self._take()
            try:
                yield worker
            finally:
                self._num_lost = self._num_lost + 1 if worker.lost else 0
                if worker.broken or self._closed:
                    await worker.kill()
                else:
                    self._free.append(worker)

    async def close(self) -> tuple[AgentGymError, ...]:
        """Close the free environments and end their workers; the others end when given back."""
        self._closed = True
        seats, self._free = self._free, []
        found = await asyncio.gather(*map(closing_error, seats))
        return tuple(error for error in found if error is not None)

    def _slots_of_this_loop(self) -> asyncio.Semaphore:
        """The semaphore; a new one in a new loop, for it is bound to the loop it waited in."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._slots = loop, asyncio.Semaphore(self._num_workers)
        return self._slots

    async def _take(self) -> Worker:
        while self._free:
            idle = self._free.pop()
            if idle.alive:
                return idle
            await idle.kill()  # it died while nobody used it
        await asyncio.sleep(back_off_s(self._num_lost))
        worker: Worker | None = None
        try:
            worker = Worker(self._deadlines, self._quarantine)
            await worker.boot(self._boot_frame)
        except BaseException:
            self._num_lost += 1
            if worker is not None:
                await worker.kill()
            raise
        return worker


def back_off_s(num_lost: int) -> float:
    """How long to wait before another worker is started, after so many in a row were lost.

    >>> [back_off_s(n) for n in (0, 1, 2, 3, 9, 10_000)]
    [0.0, 0.05, 0.1, 0.2, 10.0, 10.0]
    """
    doublings = min(num_lost - 1, 20)  # beyond it is the longest anyway, and no float
    return min(LONGEST_S, FIRST_S * 2**doublings) if num_lost else 0.0


def configured(spec: EnvSpec, max_turns: int | None, args: Mapping[str, Any] | None) -> EnvSpec:
    """The spec under another turn limit and with more settings; None keeps its own."""
    limit = spec.max_episode_steps if max_turns is None else max_turns
    return replace(spec, max_episode_steps=limit, kwargs={**spec.kwargs, **(args or {})})


def importable(spec: EnvSpec) -> EnvSpec:
    """The spec with its class by name, as a fresh process can import it.

    Raises:
        UsageError: it cannot be imported by name.
    """
    entry = spec.entry_point
    if callable(entry):
        module = getattr(entry, "__module__", "<unknown>")
        name = getattr(entry, "__qualname__", "<unnamed>")
        if module == "__main__" or "<" in name:
            raise UsageError(
                f"environment '{spec.id}' is defined in {module}.{name}, which a worker process "
                "cannot import; move it to a module of its own, or use the inline pool"
            )
        entry = f"{module}:{name}"
    return replace(spec, entry_point=entry)


def refuse_closed(closed: bool) -> None:
    """Raise if the pool was closed: an environment made now would never be."""
    if closed:
        raise UsageError("the pool is closed")


async def closing_error(seat: Seat) -> AgentGymError | None:
    """Close the seat; gives the error of one that would not close."""
    try:
        await seat.close()
    except AgentGymError as error:
        return error
    return None

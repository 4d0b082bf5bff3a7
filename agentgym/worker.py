"""Worker: a seat whose environment lives in a process of its own, every call under a deadline."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, suppress
from typing import Any

from pydantic import BaseModel, ConfigDict, PositiveFloat

from agentgym.errors import DeadlineError, EnvError, UsageError, WorkerError, boundary
from agentgym.serve import HEADER, Failure
from agentgym.types import DemonstratedTurn, Observation, Outcome, Reply, Status, Task


class Deadlines(BaseModel):
    """How many seconds each call to a worker may take; past them its process group is killed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    boot_s: PositiveFloat = 120.0
    """Start the process, import the environment, make it."""
    reset_s: PositiveFloat = 60.0
    step_s: PositiveFloat = 60.0
    demonstrate_s: PositiveFloat = 60.0
    """A step, and thinking of it."""
    outcome_s: PositiveFloat = 120.0
    """Grading may run a test suite."""
    close_s: PositiveFloat = 10.0


BOOTSTRAP = (
    "import sys; fd, parent, *sys.path = sys.argv[1:]; "
    "from agentgym.serve import serve; serve(int(fd), int(parent))"
)
"""The worker's program. It gets our import path; `__main__` is not run again, so a script that
makes a pool needs no `if __name__ == "__main__"`."""


WORKER_ENVIRONMENT = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
"""What a worker has beyond our environment variables, unless they say otherwise: a walk over a
set of strings has one order in all workers, and hundreds of workers start no threads to idle."""


class Quarantine:
    """Which tasks ended so many workers that they get no other."""

    def __init__(self, *, losses: int = 3) -> None:
        self._allowed, self._lost = losses, Counter[str]()

    def add(self, task_id: str) -> None:
        """A worker died in the task, or was killed at a deadline."""
        self._lost[task_id] += 1

    def check(self, task_id: str) -> None:
        """Let a task pass.

        Raises:
            WorkerError: it is in quarantine.
        """
        if (lost := self._lost[task_id]) >= self._allowed:
            raise WorkerError(f"task '{task_id}' is in quarantine: it ended {lost} workers")


class Worker:
    """Starts a process, plays the environment in it, and ends it with its whole process group.

    Raises:
        WorkerError: the process cannot be started: too many files or processes, too little memory.
    """

    def __init__(self, deadlines: Deadlines, quarantine: Quarantine) -> None:
        self.system_prompt = ""
        self.expert_name: str | None = None
        self.broken = False
        """Whether a call failed or was cut short."""
        self.lost = False
        """Whether it died, or was killed at a deadline."""
        self._deadlines, self._quarantine, self._task_id = deadlines, quarantine, ""
        with boundary(WorkerError, "cannot start a worker process"), ExitStack() as undo:
            self._channel, theirs = socket.socketpair()
            undo.enter_context(self._channel)
            with theirs:
                self._process = _start(theirs)
            self._channel.setblocking(False)
            undo.pop_all()  # it stays open

    async def boot(self, frame: bytes) -> None:
        """Make the environment."""
        self.system_prompt, self.expert_name = await self._call("boot", frame)

    async def reset(self, task: Task, *, seed: int) -> Observation:
        """Start the task."""
        self._quarantine.check(task.id)
        self._task_id = task.id
        observation: Observation = await self._call("reset", encode("reset", (task, seed)))
        return observation

    async def step(self, text: str) -> Reply:
        """Act on what the model wrote."""
        reply: Reply = await self._call("step", encode("step", (text,)))
        return reply

    async def demonstrate(
        self, *, seed: int, mistake: bool
    ) -> tuple[DemonstratedTurn, Status | None]:
        """Let the environment's demonstrator act."""
        frame = encode("demonstrate", (seed, mistake))
        answer: tuple[DemonstratedTurn, Status | None] = await self._call("demonstrate", frame)
        return answer

    async def outcome(self) -> Outcome:
        """Grade the episode."""
        outcome: Outcome = await self._call("outcome", encode("outcome", ()))
        return outcome

    async def close(self) -> None:
        """Close the environment and end the worker; may be called twice."""
        try:
            if not self.broken:
                await self._call("close", encode("close", ()))
        finally:
            await self.kill()

    async def kill(self) -> int:
        """End the worker's whole process group at once; gives its exit code."""
        self.broken = True
        self._channel.close()
        if self._process.returncode is None:  # not reaped: the number still names our group
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        return await asyncio.to_thread(self._process.wait)

    @property
    def alive(self) -> bool:
        """Whether an idle worker runs: it says nothing unasked, so what can be read is the end."""
        try:
            self._channel.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    async def _call(self, phase: str, frame: bytes) -> Any:
        was_broken = self.broken
        self.broken = True  # until the answer is here: a call cut short leaves the worker in it
        deadline_s: float = getattr(self._deadlines, f"{phase}_s")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(deadline_s):
                await loop.sock_sendall(self._channel, frame)
                (size,) = HEADER.unpack(await self._receive(HEADER.size))
                answer = await self._receive(size)
        except TimeoutError:
            self._lose()
            await self.kill()
            raise DeadlineError(f"{phase} took longer than {deadline_s:g} s") from None
        except OSError:
            self._lose()
            code = await self.kill()
            raise WorkerError(f"the worker died in {phase} with exit code {code}") from None
        with boundary(EnvError, f"{phase}: an answer that cannot be unpickled"):
            value = pickle.loads(answer)
        if isinstance(value, Failure):
            raise value.exception()
        self.broken = was_broken
        return value

    def _lose(self) -> None:
        self.lost = True
        if self._task_id:
            self._quarantine.add(self._task_id)

    async def _receive(self, count: int) -> bytearray:
        """Exactly so many bytes.

        Raises:
            ConnectionError: the stream ended before.
        """
        loop = asyncio.get_running_loop()
        received = bytearray(count)
        view = memoryview(received)
        while view:
            size = await loop.sock_recv_into(self._channel, view)
            if size == 0:
                raise ConnectionError
            view = view[size:]
        return received


def _start(theirs: socket.socket) -> subprocess.Popen[bytes]:
    """A process at the other end of the channel."""
    arguments = [str(theirs.fileno()), str(os.getpid()), *sys.path]
    return subprocess.Popen(
        [sys.executable, "-c", BOOTSTRAP, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
        start_new_session=True,  # a process group of its own, to be killed as one
        env={**WORKER_ENVIRONMENT, **os.environ},
    )


def encode(phase: str, arguments: tuple[Any, ...]) -> bytes:
    """A request as a frame.

    Raises:
        UsageError: an argument cannot be pickled.
    """
    with boundary(UsageError, f"{phase}: cannot be sent to a worker process"):
        frame = pickle.dumps((phase, arguments))
    return HEADER.pack(len(frame)) + frame

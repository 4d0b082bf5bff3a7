"""What a worker process runs: one environment, and the words it exchanges with its parent.

Parent and worker exchange frames (8 bytes of length, then a pickle) over one socket pair. A
request is `(phase, arguments)`; the answer is the phase's value, or a `Failure`. The worker is
our own child and runs code that the user chose, so unpickling its answers trusts nobody new.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Any

from agentgym import errors
from agentgym.errors import AgentGymError, EnvError, ScoreError, cut, trace_of
from agentgym.guard import GuardedEnv, text_of, told

HEADER = struct.Struct("!Q")
PR_SET_PDEATHSIG = 1
"""From Linux's <sys/prctl.h>: which signal a process gets when its parent dies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An exception on its way to the parent: a class of ours by name, and a bounded text."""

    error: str
    message: str
    trace: str

    @classmethod
    def of(cls, error: BaseException, phase: str) -> Failure:
        """What to tell the parent of any exception, ours or not."""
        if not isinstance(error, AgentGymError):
            kind = ScoreError if phase == "outcome" else EnvError
            failed = kind(told(error, phase))
            failed.__cause__ = error
            return cls(error=kind.__name__, message=str(failed), trace=trace_of(failed))
        ours = next(each for each in type(error).__mro__ if each.__module__ == errors.__name__)
        return cls(error=ours.__name__, message=cut(text_of(error)), trace=trace_of(error))

    def exception(self) -> AgentGymError:
        """The same error, to raise on this side."""
        error: AgentGymError = getattr(errors, self.error)(self.message)
        if self.trace:
            error.add_note(self.trace)
        return error


def serve(fd: int, parent_pid: int) -> None:
    """Answer requests on the socket until the parent closes it.

    Args:
        fd: an inherited, connected stream socket.
        parent_pid: whose death ends this process, even in the middle of a call.
    """
    die_with(parent_pid)
    channel = socket.socket(fileno=fd)
    channel.setblocking(True)
    env: GuardedEnv | None = None
    while (request := receive(channel)) is not None:
        phase, arguments = request
        answer: Any
        try:
            if phase == "boot":
                env = GuardedEnv(*arguments)
                answer = env.system_prompt, env.inner.expert_name
            else:
                answer = call(env, phase, arguments)
            frame = pickle.dumps(answer)
        except BaseException as error:
            frame = pickle.dumps(Failure.of(error, phase))
        channel.sendall(HEADER.pack(len(frame)) + frame)


def call(env: GuardedEnv | None, phase: str, arguments: tuple[Any, ...]) -> Any:
    """What the environment answers."""
    assert env is not None, "the first request is 'boot'"
    if phase == "reset":
        task, seed = arguments
        return env.reset(task, seed=seed)
    if phase == "demonstrate":
        seed, mistake = arguments
        return env.demonstrate(seed=seed, mistake=mistake)
    return getattr(env, phase)(*arguments)


def receive(channel: socket.socket) -> Any:
    """The next request; None when the parent is gone."""
    header = receive_bytes(channel, HEADER.size)
    if header is None:
        return None
    frame = receive_bytes(channel, HEADER.unpack(header)[0])
    return None if frame is None else pickle.loads(frame)


def receive_bytes(channel: socket.socket, count: int) -> bytes | None:
    """Exactly so many bytes; None at the end of the stream."""
    received = bytearray()
    while len(received) < count:
        chunk = channel.recv(count - len(received))
        if not chunk:
            return None
        received += chunk
    return bytes(received)


def die_with(parent_pid: int) -> None:
    """Have the kernel kill this process with its parent, where the kernel can (Linux).

    The end of the stream says the same, but a call that never returns would not read it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before the line above
        os._exit(1)

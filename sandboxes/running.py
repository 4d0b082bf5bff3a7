"""Running: a host process under a deadline, with bounded output, killed with its whole group."""

from __future__ import annotations

import errno
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from agentgym.errors import SandboxError
from agentgym.sandbox import ExecResult

CHUNK_BYTES = 2**16
MAX_WORD_BYTES = 2**17 - 1
"""What Linux takes for one argument of a program (MAX_ARG_STRLEN, less its end)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to start."""

    argv: tuple[str | bytes, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    """All of its environment; nothing is inherited."""
    cwd: Path = Path("/")
    fds: tuple[int, ...] = ()
    """The file descriptors that it gets beside the standard ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a host process did."""

    exit_code: int
    """Minus the signal's number where one ended it."""
    output: bytes
    lost_bytes: int
    timed_out: bool

    def result(self, exit_code: int) -> ExecResult:
        """As a command's result."""
        output = self.output.decode(errors="replace")
        killed: Any = "deadline" if self.timed_out else None
        return ExecResult(
            exit_code=exit_code, output=output, lost_bytes=self.lost_bytes, killed=killed
        )


class HeadTail:
    """Keeps the start and the end of a stream.

    >>> kept = HeadTail(4)
    >>> kept.add(b"abcdefgh")
    >>> kept.lost_bytes, kept.content()
    (4, b'ab\\n[... 4 bytes left out ...]\\ngh')
    """

    def __init__(self, limit: int) -> None:
        self._head, self._tail = bytearray(), bytearray()
        self._head_limit, self._tail_limit = limit - limit // 2, limit // 2
        self._num_bytes = 0

    def add(self, data: bytes) -> None:
        """The stream goes on."""
        self._num_bytes += len(data)
        room = self._head_limit - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > self._tail_limit + CHUNK_BYTES:  # not at each chunk: it moves them all
            del self._tail[: len(self._tail) - self._tail_limit]

    @property
    def lost_bytes(self) -> int:
        """How much is between the start and the end."""
        return max(0, self._num_bytes - self._head_limit - self._tail_limit)

    def content(self) -> bytes:
        """Start and end, and a mark where the middle was."""
        if not self.lost_bytes:
            return bytes(self._head + self._tail)
        mark = b"\n[... %s bytes left out ...]\n" % f"{self.lost_bytes:,}".encode()
        return bytes(self._head + mark + self._tail[len(self._tail) - self._tail_limit :])


def run(program: Program, *, timeout_s: float, keep_bytes: int, stdin: bytes = b"") -> Ran:
    """Run a program to its end or its deadline, then kill what is left of its process group.

    Raises:
        SandboxError: it cannot be started.
    """
    until = time.monotonic() + timeout_s
    try:
        process = subprocess.Popen(
            program.argv,
            env=program.env,
            cwd=program.cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=program.fds,
            start_new_session=True,
            bufsize=0,
        )
    except OSError as error:
        raise SandboxError(f"cannot start {program.argv[0]!r}: {error}") from error
    kept, ended = HeadTail(keep_bytes), False
    try:
        ended = _exchange(process, kept, stdin=stdin, until=until)
    finally:
        with suppress(ProcessLookupError):  # not reaped yet: the number still names the group
            os.killpg(process.pid, signal.SIGKILL)
        exit_code = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
    return Ran(
        exit_code=exit_code,
        output=kept.content(),
        lost_bytes=kept.lost_bytes,
        timed_out=not ended,
    )


def _exchange(
    process: subprocess.Popen[bytes], kept: HeadTail, *, stdin: bytes, until: float
) -> bool:
    """Write and read until the process ends (True) or the deadline comes (False)."""
    assert process.stdin is not None and process.stdout is not None
    pidfd, unsent = os.pidfd_open(process.pid), memoryview(stdin)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(pidfd, selectors.EVENT_READ)
            selector.register(process.stdout, selectors.EVENT_READ)
            selector.register(process.stdin, selectors.EVENT_WRITE)
            os.set_blocking(process.stdin.fileno(), False)
            os.set_blocking(process.stdout.fileno(), False)
            while (left := until - time.monotonic()) > 0:
                ready = {key.fd for key, _ in selector.select(left)}
                if not process.stdin.closed and process.stdin.fileno() in ready:
                    unsent = _send(process.stdin, unsent)
                    if not unsent:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                if process.stdout.fileno() in ready and not _receive(process.stdout, kept):
                    selector.unregister(process.stdout)
                if pidfd in ready:
                    while _receive(process.stdout, kept) and time.monotonic() < until:
                        pass
                    return True
    finally:
        os.close(pidfd)
    return False


def _send(pipe: IO[bytes], data: memoryview) -> memoryview:
    """What could not be written yet; nothing where nobody reads."""
    try:
        return data[os.write(pipe.fileno(), data[:CHUNK_BYTES]) :] if data else data
    except BlockingIOError:
        return data
    except BrokenPipeError:
        return data[:0]


def _receive(pipe: IO[bytes], kept: HeadTail) -> bool:
    """Whether there was something to read."""
    try:
        data = os.read(pipe.fileno(), CHUNK_BYTES)
    except BlockingIOError:
        return False
    kept.add(data)
    return bool(data)


def word(text: str) -> bytes:
    """A text as an argument of a program.

    Raises:
        OSError: no argument can be that.
    """
    data = text.encode(errors="surrogatepass")
    with suppress(UnicodeEncodeError):
        data = os.fsencode(text)
    if b"\0" in data:
        raise OSError(errno.EINVAL, "it holds a NUL character, which no argument can")
    if len(data) > MAX_WORD_BYTES:
        fits = f"it has {len(data):,} bytes, an argument at most {MAX_WORD_BYTES:,}"
        raise OSError(errno.E2BIG, f"{fits}; write it to a file instead")
    return data

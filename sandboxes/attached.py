"""Attached: the connection to a container's first process, read and written without waiting."""

from __future__ import annotations

import select
import struct
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from agentgym.sandboxes.running import CHUNK_BYTES

FRAME = struct.Struct(">BxxxL")
"""Before each piece of output: which stream it is of, and its length."""
OUTPUT, ERRORS = 1, 2

Take = Callable[[bytes], object]


class Attached:
    """What the engine's client gives for a socket.

    Args:
        takes: by stream, what its output goes to.
    """

    def __init__(self, opened: Any, takes: Mapping[int, Take]) -> None:
        self._response = opened._response
        self._socket = getattr(opened, "_sock", opened)
        self._socket.setblocking(False)
        self._takes = takes
        self._unsent, self._last = memoryview(b""), b""
        self._file: BinaryIO | None = None
        self._header, self._left, self._stream = b"", 0, OUTPUT
        self.ended = False
        """Whether all output has come."""
        # The client's reader may hold what came together with the answer's head.
        self._split(self._response.raw._fp.fp.peek())

    def send(self, data: bytes, file: BinaryIO | None = None, last: bytes = b"") -> None:
        """More input: data, then a file's content and what follows it, if there is one."""
        assert self._file is None
        self._unsent = memoryview(bytes(self._unsent) + data)
        self._file, self._last = file, last

    def exchange(self, wait_s: float) -> None:
        """Wait for output or room for input, read and write."""
        writers = [self._socket] if self._unsent else []
        readable, writable, _ = select.select([self._socket], writers, [], max(0.0, wait_s))
        if writable:
            self._send()
        if readable:
            self._receive()

    def _send(self) -> None:
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent[:CHUNK_BYTES]) :]
        except BlockingIOError:
            pass
        except ConnectionError:  # nobody reads
            self._unsent, self._file = memoryview(b""), None
        if not self._unsent and self._file is not None:
            self._unsent = memoryview(self._file.read(CHUNK_BYTES))
            if not self._unsent:
                self._unsent, self._file = memoryview(self._last), None

    def _receive(self) -> None:
        try:
            data = self._socket.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:  # ended, with input unread
            data = b""
        self.ended = not data
        self._split(data)

    def _split(self, data: bytes) -> None:
        """Read the frames' heads out of the stream."""
        while data:
            if self._left == 0:
                need = FRAME.size - len(self._header)
                self._header, data = self._header + data[:need], data[need:]
                if len(self._header) == FRAME.size:
                    self._stream, self._left = FRAME.unpack(self._header)
                    self._header = b""
                continue
            self._takes[self._stream](data[: self._left])
            self._left, data = max(0, self._left - len(data)), data[self._left :]

    def close(self) -> None:
        """End the connection, and with it the process's input."""
        self._response.close()


class UntilMark:
    """Hands on what comes before a mark, whatever the pieces.

    >>> kept = bytearray()
    >>> until = UntilMark(b"END", kept.extend)
    >>> for piece in (b"abcE", b"N", b"D"):
    ...     until.add(piece)
    >>> until.found, kept
    (True, bytearray(b'abc'))
    """

    def __init__(self, mark: bytes, take: Take) -> None:
        self._mark, self._take, self._held = mark, take, b""
        self.found = False

    def add(self, data: bytes) -> None:
        """The stream goes on; nothing follows the mark."""
        data = self._held + data
        self.found = data.endswith(self._mark)
        surely = len(data) - len(self._mark)
        if surely > 0:
            self._take(data[:surely])
        self._held = data[max(0, surely) :]

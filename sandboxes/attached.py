"""Attached: the connection to a program in a container, read and written without waiting."""

from __future__ import annotations

import select
import struct
from collections.abc import Callable
from typing import Any

from agentgym.sandboxes.running import CHUNK_BYTES

FRAME = struct.Struct(">BxxxL")
"""Before each piece of output: which stream it is of, and its length."""


class Attached:
    """What the engine's client gives for a socket. All output goes to `take`."""

    def __init__(self, opened: Any, take: Callable[[bytes], object], stdin: bytes = b"") -> None:
        self._response = opened._response
        self._socket = getattr(opened, "_sock", opened)
        self._socket.setblocking(False)
        self._take, self._unsent = take, memoryview(stdin)
        self._header, self._left = b"", 0
        self.ended = False
        """Whether all output has come."""
        # The client's reader may hold what came together with the answer's head.
        self._split(self._response.raw._fp.fp.peek())

    def send(self, data: bytes) -> None:
        """More input, when all of the last was sent."""
        assert not self._unsent
        self._unsent = memoryview(data)

    def exchange(self, wait_s: float) -> bool:
        """Wait for output or room for input, read and write; whether something came."""
        writers = [self._socket] if self._unsent else []
        readable, writable, _ = select.select([self._socket], writers, [], max(0.0, wait_s))
        if writable:
            self._send()
        return bool(readable) and self._receive()

    def _send(self) -> None:
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent[:CHUNK_BYTES]) :]
        except BlockingIOError:
            pass
        except ConnectionError:  # nobody reads
            self._unsent = self._unsent[:0]

    def _receive(self) -> bool:
        try:
            data = self._socket.recv(CHUNK_BYTES)
        except BlockingIOError:
            return False
        except ConnectionError:  # ended, with input unread
            data = b""
        self.ended = not data
        self._split(data)
        return bool(data)

    def _split(self, data: bytes) -> None:
        """Read the frames' heads out of the stream."""
        while data:
            if self._left == 0:
                need = FRAME.size - len(self._header)
                self._header, data = self._header + data[:need], data[need:]
                if len(self._header) == FRAME.size:
                    _, self._left = FRAME.unpack(self._header)
                    self._header = b""
                continue
            self._take(data[: self._left])
            self._left, data = max(0, self._left - len(data)), data[self._left :]

    def close(self) -> None:
        """End the connection; the program is not told."""
        self._response.close()

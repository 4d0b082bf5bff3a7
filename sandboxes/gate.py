"""The gate: a forward proxy through which a page reaches its own sites and nothing else.

A browser that is told to use it asks it for everything, redirects and WebSockets included, which
interception within the browser does not see. Whatever is no site is refused without a look-up.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections import deque
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from agentgym.browser import Answer, Asked, Sites
from agentgym.errors import UsageError

MAX_HEAD_BYTES = 64 << 10
MAX_BODY_BYTES = 1 << 20
"""A longer request is refused."""
CONNECT_S = 10.0
PORTS = {"http": 80, "https": 443}
METADATA = tuple(
    map(
        ipaddress.ip_network,
        ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32", "0.0.0.0/8"),
    )
)
"""Where clouds keep the secrets of their machines: never reached, whoever allows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of a request."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        """The first value of a field; "" where there is none."""
        return next((value for key, value in self.fields if key == name), "")


def origin_of(address: str) -> str:
    """Scheme, host and port of an address; a default port is left out.

    Raises:
        UsageError: it is no web address.

    >>> origin_of("http://Shop.test:80/cart?id=1")
    'http://shop.test'
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"'{address}' is no web address: {error}") from error
    if parts.scheme not in PORTS or not host:
        raise UsageError(f"'{address}' is no web address: it must begin with http:// or https://")
    name = f"[{host}]" if ":" in host else host
    is_default = port is None or port == PORTS[parts.scheme]
    return f"{parts.scheme}://{name}" + ("" if is_default else f":{port}")


class Gate:
    """The proxy of one browser profile; lives in the event loop that opened it."""

    def __init__(self, sites: Sites) -> None:
        """Let through what goes to these.

        Raises:
            UsageError: a key is no origin.
        """
        for origin in sites:
            if origin_of(origin) != origin:
                raise UsageError(f"'{origin}' is no origin; write '{origin_of(origin)}'")
        self._sites = sites
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._addresses: dict[str, str] = {}
        self.refused: deque[str] = deque(maxlen=100)
        """What was asked for in vain, the latest."""

    async def open(self) -> int:
        """Begin to listen on this machine's loopback address; the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=MAX_HEAD_BYTES)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Stop, and cut what is under way."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            while await self._answer(reader, writer):
                pass
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            pass  # the browser went away, or spoke no HTTP
        except asyncio.CancelledError:
            pass  # by `close`: nobody waits for this connection
        finally:
            self._open.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Deal with one request; whether another may follow."""
        head = parse_head(await reader.readuntil(b"\r\n\r\n"))
        is_tunnel = head.method == "CONNECT"
        address = f"https://{head.target}" if is_tunnel else head.target
        try:
            origin = origin_of(address)
        except UsageError:
            origin = ""
        if origin not in self._sites:
            self.refused.append(f"{head.method} {head.target}"[:200])
            return await _send(writer, Answer(status=403, body=b"not part of this site"))
        site = self._sites[origin]
        if is_tunnel:
            return False if site else await self._tunnel(origin, reader, writer)
        size = int(head.get("content-length") or 0)
        if head.get("transfer-encoding") or size > MAX_BODY_BYTES:
            await _send(writer, Answer(status=413))
            return False
        body = await reader.readexactly(size)
        if site is None:
            return await self._forward(origin, head, body, writer)
        parts = urlsplit(head.target)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        asked = Asked(method=head.method, path=path, body=body)
        async with self._turn:
            # Here a slow answer would halt the browser's thread, and deadlines would pass in it.
            answer = await asyncio.to_thread(site, asked)
        return await _send(writer, answer)

    async def _connect(self, origin: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the address that the name had the first time: it cannot change afterwards."""
        parts = urlsplit(origin)
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        if origin not in self._addresses:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            address = str(found[0][4][0])
            number = ipaddress.ip_address(address.partition("%")[0])
            plain = getattr(number, "ipv4_mapped", None) or number
            if any(plain in network for network in METADATA):
                raise OSError(f"{host} is {address}, which is never reached")
            self._addresses[origin] = address
        waiting = asyncio.open_connection(self._addresses[origin], port)
        return await asyncio.wait_for(waiting, CONNECT_S)

    async def _forward(
        self, origin: str, head: Head, body: bytes, writer: asyncio.StreamWriter
    ) -> bool:
        """Ask the network, and hand on what it says as it comes."""
        try:
            their_reader, their_writer = await self._connect(origin)
        except (OSError, TimeoutError) as error:
            return await _send(writer, Answer(status=502, body=str(error).encode()))
        parts = urlsplit(head.target)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        own = ("host", "connection", "proxy-connection", "proxy-authorization", "keep-alive")
        fields = [(key, value) for key, value in head.fields if key not in own]
        fields += [("host", origin.partition("://")[2]), ("connection", "close")]
        lines = "".join(f"{key}: {value}\r\n" for key, value in fields)
        their_writer.write(f"{head.method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body)
        try:
            await _pipe(their_reader, writer)
        finally:
            their_writer.close()
        return False

    async def _tunnel(
        self, origin: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Hand bytes to and fro until either side ends."""
        try:
            their_reader, their_writer = await self._connect(origin)
        except (OSError, TimeoutError) as error:
            return await _send(writer, Answer(status=502, body=str(error).encode()))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        ways: list[Awaitable[None]] = [_pipe(reader, their_writer), _pipe(their_reader, writer)]
        tasks = [asyncio.ensure_future(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            their_writer.close()
        return False


def parse_head(raw: bytes) -> Head:
    """The head of a request as it came.

    Raises:
        ValueError: it is none.

    >>> parse_head(b"GET http://a.test/ HTTP/1.1\\r\\nHost: a.test\\r\\n\\r\\n").get("host")
    'a.test'
    """
    first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, version = first.split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"unknown protocol {version}")
    pairs = [line.partition(":") for line in lines]
    fields = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)
    return Head(method=method, target=target, fields=fields)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()


async def _send(writer: asyncio.StreamWriter, answer: Answer) -> bool:
    """Send it whole; the connection stays open."""
    fields = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        f"Content-Type: {answer.media_type}",
        f"Content-Length: {len(answer.body)}",
        f"Cache-Control: {'max-age=3600' if answer.keeps else 'no-store'}",
    ]
    if answer.location is not None:
        fields.append(f"Location: {answer.location}")
    writer.write("\r\n".join(fields).encode("latin-1") + b"\r\n\r\n" + answer.body)
    await writer.drain()
    return True

"""Sites for a browser: pages of the test's own, and a server that nobody may reach."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from agentgym.browser import Answer, Asked

ORIGIN = "http://own.test"


class Pages:
    """A site that answers with given pages and remembers what it was asked for."""

    def __init__(self, pages: Mapping[str, str | Answer]) -> None:
        self._pages = pages
        self.asked: list[str] = []

    def __call__(self, asked: Asked) -> Answer:
        self.asked.append(f"{asked.method} {asked.path}")
        found = self._pages.get(asked.path.partition("?")[0], Answer(status=404))
        return Answer(body=found.encode()) if isinstance(found, str) else found


class Canary:
    """Counts who comes: bytes over TCP, and datagrams."""

    def __init__(self) -> None:
        self.hits: list[bytes] = []
        hits = self.hits

        class Tcp(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.connection.settimeout(2)
                try:
                    hits.append(self.connection.recv(2000) or b"connected")
                except OSError:
                    hits.append(b"connected")
                body = b"<script>window.reached = true</script>CANARY"
                head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}"
                self.wfile.write(f"{head}\r\nConnection: close\r\n\r\n".encode() + body)

        class Udp(socketserver.DatagramRequestHandler):
            def handle(self) -> None:
                hits.append(b"datagram")

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self.tcp = Server(("127.0.0.1", 0), Tcp)
        self.udp = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Udp)

    @property
    def port(self) -> int:
        """Where it listens for connections."""
        found: int = self.tcp.server_address[1]
        return found


@contextmanager
def canary() -> Iterator[Canary]:
    """One, for as long as a block runs."""
    found = Canary()
    threads = [
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        for server in (found.tcp, found.udp)
    ]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        for server in (found.tcp, found.udp):
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()

"""One socket of the loopback address, on which an application answers until Ctrl-C."""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from agentgym.errors import UsageError

LOOPBACK = "127.0.0.1"


def serve(make_app: Callable[[int], ASGIApp], *, port: int, open_browser: bool) -> int:
    """Serve an application to this machine's browser.

    Args:
        make_app: makes it, told the port that it answers on.
        port: 0 takes a free one.

    Raises:
        UsageError: the port is taken.
    """
    with listen(port) as listener:
        port = listener.getsockname()[1]
        address = f"http://{LOOPBACK}:{port}/"
        server = make_server(make_app(port))
        print(f"{address}  (Ctrl-C ends it)", flush=True)
        if open_browser:
            # Some browsers return only when they are closed.
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        with suppress(KeyboardInterrupt):  # raised anew once all is closed
            server.run(sockets=[listener])
    return 0


def make_server(app: ASGIApp) -> uvicorn.Server:
    """What runs it."""
    config = uvicorn.Config(
        app,
        access_log=False,
        http="h11",
        lifespan="off",
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=1,
        ws="none",
    )
    return uvicorn.Server(config)


def listen(port: int) -> socket.socket:
    """A socket that already accepts, so that the browser cannot come too early."""
    if not 0 <= port < 1 << 16:
        raise UsageError(f"port {port} is not between 0 and 65535; 0 takes a free one")
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        raise UsageError(f"port {port} cannot be used ({error}); 0 takes a free one") from error

"""The process behind `agentgym view`: one socket on the loopback address, until Ctrl-C."""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import uvicorn

from agentgym import store
from agentgym.errors import UsageError
from agentgym.viewer.app import make_app
from agentgym.viewer.runs import OpenRun

LOOPBACK = "127.0.0.1"


def view(folders: Sequence[Path], *, port: int, open_browser: bool) -> int:
    """Serve runs to this machine's browser.

    Raises:
        UsageError: a folder is not there, or the port is taken.
    """
    runs = [OpenRun(store.open(folder)) for folder in folders]
    with _listen(port) as listener:
        port = listener.getsockname()[1]
        address = f"http://{LOOPBACK}:{port}/"
        config = uvicorn.Config(
            make_app(runs, port=port),
            access_log=False,
            http="h11",
            lifespan="off",
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=1,
            ws="none",
        )
        # The first rows are read while the browser starts; a run that cannot be read says so there.
        threading.Thread(target=runs[0].table, daemon=True).start()
        print(f"{address}  (Ctrl-C ends it)", flush=True)
        if open_browser:
            # Some browsers return only when they are closed.
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        with suppress(KeyboardInterrupt):  # raised anew once all is closed
            uvicorn.Server(config).run(sockets=[listener])
    return 0


def _listen(port: int) -> socket.socket:
    """A socket that already accepts, so that the browser cannot come too early."""
    if not 0 <= port < 1 << 16:
        raise UsageError(f"port {port} is not between 0 and 65535; 0 takes a free one")
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        raise UsageError(f"port {port} cannot be used ({error}); 0 takes a free one") from error

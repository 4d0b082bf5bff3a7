"""The shop in a browser, served by a thread for as long as a block runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from agentgym.envs.webshop.env import WebShop
from agentgym.envs.webshop.shopfront import make_app
from agentgym.serving.loopback import listen, make_server


@contextmanager
def serving(split: str) -> Iterator[int]:
    """Serve a split's tasks; the port."""
    with listen(0) as listener:
        port = listener.getsockname()[1]
        server = make_server(make_app(WebShop.panel(split), shop="small", port=port))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield port
        finally:
            server.should_exit = True
            thread.join()

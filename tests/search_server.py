"""A search server that lives as long as a block."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from agentgym.envs.search.retrievers import Retriever
from agentgym.envs.search.server import SearchServer


@contextmanager
def running(retriever: Retriever, *, topk: int = 3) -> Iterator[str]:
    """A server on a free port of this machine, while the block runs; gives its URL."""
    with SearchServer(("127.0.0.1", 0), retriever, topk=topk) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()

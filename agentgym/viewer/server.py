"""What `agentgym view` runs: the viewer, for as long as its reader likes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from agentgym import store
from agentgym.serving.loopback import serve
from agentgym.viewer.app import MORE_SECONDS, make_app
from agentgym.viewer.runs import OpenRun


def view(folders: Sequence[Path], *, port: int, open_browser: bool) -> int:
    """Serve runs to this machine's browser.

    Raises:
        UsageError: a folder is not there, or the port is taken.
    """
    runs = [OpenRun(store.open(folder)) for folder in folders]
    threading.Thread(target=_begin, args=(runs[0],), daemon=True).start()
    return serve(lambda port: make_app(runs, port=port), port=port, open_browser=open_browser)


def _begin(run: OpenRun) -> None:
    """Read the first rows while the browser starts; a run that cannot be read says so there."""
    import pyarrow as pa

    # Arrow's own allocator holds on to what was freed: 90 MB on a run of 50,000 episodes.
    pa.set_memory_pool(pa.system_memory_pool())
    run.table(seconds=MORE_SECONDS)

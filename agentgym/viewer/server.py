"""What `agentgym view` runs: the viewer, for as long as its reader likes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from agentgym import store
from agentgym.serving.loopback import serve
from agentgym.viewer.app import make_app
from agentgym.viewer.runs import OpenRun


def view(folders: Sequence[Path], *, port: int, open_browser: bool) -> int:
    """Serve runs to this machine's browser.

    Raises:
        UsageError: a folder is not there, or the port is taken.
    """
    runs = [OpenRun(store.open(folder)) for folder in folders]
    # The first rows are read while the browser starts; a run that cannot be read says so there.
    threading.Thread(target=runs[0].table, daemon=True).start()
    return serve(lambda port: make_app(runs, port=port), port=port, open_browser=open_browser)

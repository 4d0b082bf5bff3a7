"""A temporary folder that goes when this process does, however it ends."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

SWEEP = 'read -r _; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.3; rm -rf -- "$0" && exit; done'
"""Waits for the end of its input, then removes: programs that end with us may still write."""


class Scratch:
    """A folder, and a shell that outlives this process by a moment to remove it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="agentgym-browser-"))
        # Out of our process group, so that what kills the group leaves the sweeper.
        self._sweeper = subprocess.Popen(
            ["/bin/sh", "-c", SWEEP, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

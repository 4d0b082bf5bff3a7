"""A program for tests: becomes a user without rights, then uses a sandbox."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from agentgym.sandbox import Limits
from agentgym.sandboxes.bubblewrap import Bubblewrap

NOBODY = 65534
PR_SET_DUMPABLE = 4


def become_nobody() -> None:
    """Give root up for good."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1)  # as if started by that user


def main(folder: Path) -> None:
    """Print what happened."""
    become_nobody()
    limits = Limits(memory_bytes=2**28, processes=20, disk_bytes=2**24)
    with Bubblewrap(source=folder, limits=limits) as sandbox:
        print(sandbox.isolation)
        print(sandbox.exec("cat given && rm given && whoami", timeout_s=30).output.strip())
        print([(each.path, each.kind) for each in sandbox.diff(timeout_s=30)])
        sandbox.restore(sandbox.snapshot(timeout_s=30), timeout_s=30)
        forks = "import os,time\nfor i in range(40): os.fork() or time.sleep(9)"
        print("Error" in sandbox.exec(f"python3 -c '{forks}'", timeout_s=5).output)
        print("Error" in sandbox.exec("python3 -c 'bytearray(2**29)'", timeout_s=30).output)
        # As if many of an earlier command's were not gone yet.
        sandbox._live().script(
            "for i in $(seq 20); do setsid sleep 1 & done; sleep 0.3", timeout_s=5
        )
        print(sandbox.exec("echo there is room", timeout_s=30).output.strip())


if __name__ == "__main__":
    main(Path(sys.argv[1]))

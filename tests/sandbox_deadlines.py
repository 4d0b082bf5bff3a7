"""A program for tests: as a user without rights, ends commands at any moment of their start.

The sandbox is closed with its input.
"""

from __future__ import annotations

import sys
import time

from sandbox_as_nobody import become_nobody

from agentgym.sandboxes.bubblewrap import Bubblewrap


def main(sleeps: str) -> None:
    """Print what became of the commands, and wait."""
    become_nobody()
    with Bubblewrap() as sandbox:
        sandbox.exec("true", timeout_s=30)  # the first one takes longer
        started = time.monotonic()
        sandbox.exec("true", timeout_s=30)
        longest = 1.2 * (time.monotonic() - started)
        command = f"setsid sleep {sleeps} & exec sleep {sleeps}"
        ends = {
            sandbox.exec(command, timeout_s=longest * number / 40).killed for number in range(1, 41)
        }
        print(ends, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])

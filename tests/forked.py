"""Run commands of the program one after the other, each in a process of its own.

    python -m forked '[["SIGNAL_AT", ["train", "recipe.yaml"]], ...]'

The processes are forked from one that has imported everything and computed nothing: each is as
mortal as if started alone, and costs no import. Prints one JSON list: exit codes, negative for
a signal. SIGNAL_AT is that of `dying_parts`; its "save" is a checkpoint's last rename.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import dying_parts
import matplotlib.figure

from agentgym.cli import main
from agentgym.trainers import run as imported


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Notice a checkpoint about to become visible."""
    if event == "os.rename" and "checkpoints" in str(arguments[0]):
        dying_parts.come("save")


def perform(signal_at: str, words: list[str]) -> int:
    """The exit code of a command in a process of its own."""
    child = os.fork()
    if child == 0:
        os.environ["SIGNAL_AT"] = signal_at
        sys.addaudithook(watch)
        code = 70
        try:
            code = main(words)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    assert imported and matplotlib.figure
    codes = [perform(signal_at, words) for signal_at, words in json.loads(sys.argv[1])]
    print("\n" + json.dumps(codes))

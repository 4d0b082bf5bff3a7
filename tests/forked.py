"""Runs commands and scripts one after the other, each in a process of its own that imports nothing.

The processes are forked from one that has imported everything and computed nothing: each is as
mortal as if started alone, and costs no import. SIGNAL_AT is that of `dying_parts`; its "save" is a
checkpoint's last rename.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import dying_parts

from agentgym.cli import main

TESTS = Path(__file__).parent


class Forked:
    """The process that forks; it ends with its context."""

    def __enter__(self) -> Self:
        path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "forked"],
            cwd=TESTS, env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()

    def run(
        self, words: Sequence[Any], *, cwd: Path = TESTS, signal_at: str = ""
    ) -> tuple[int, str]:
        """The exit code, negative for a signal, and all that was printed.

        Args:
            words: `agentgym` or `python` and what follows.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"words": [str(word) for word in words], "cwd": str(cwd), "signal_at": signal_at}
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        code, said = json.loads(self._process.stdout.readline())
        return code, said


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Notice a checkpoint about to become visible."""
    if event == "os.rename" and "checkpoints" in str(arguments[0]):
        dying_parts.come("save")


def _perform(words: list[str], cwd: str, signal_at: str, output: int) -> int:
    """Be the command."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(cwd)
    os.environ["SIGNAL_AT"] = signal_at
    sys.addaudithook(_watch)
    program, *rest = words
    if program == "agentgym":
        return main(rest)
    sys.argv, sys.path[0] = rest, cwd
    runpy.run_path(rest[0], run_name="__main__")
    return 0


def _run(words: list[str], cwd: str, signal_at: str) -> tuple[int, str]:
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            code = 70
            try:
                code = _perform(words, cwd, signal_at, output.fileno())
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        output.seek(0)
        return os.waitstatus_to_exitcode(status), output.read().decode(errors="replace")


if __name__ == "__main__":
    gc.disable()
    import matplotlib.figure

    from agentgym.trainers import run as imported

    assert imported and matplotlib.figure
    # What was imported stays: to walk it, each child would have to copy it first.
    gc.freeze()
    gc.enable()
    for line in sys.stdin:
        print(json.dumps(_run(**json.loads(line))), flush=True)

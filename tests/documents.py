"""What a document promises to be run: its code blocks, and how they are run as a user would."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def blocks(path: Path) -> list[tuple[str, str]]:
    """Kind and text of every fenced block, in order."""
    return re.findall(r"```(\w+)\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


def run(words: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would, this environment's programs first on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": path}
    return subprocess.run(
        words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=600,
    )  # fmt: skip


def run_lines(text: str, cwd: Path) -> None:
    """Run every command of a shell block; `make` lines are planned with `make -n`."""
    for line in (line.partition("#")[0].strip() for line in text.splitlines()):
        words = shlex.split(line)
        if not words:
            continue
        if words[0] == "make":
            done = run(["make", "-n", *words[1:]], ROOT)
        else:
            done = run(words, cwd)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"

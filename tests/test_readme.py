"""Every code block of the README runs; `make` lines are planned with `make -n`, not carried out."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


def run(words: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would, this environment's programs first on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": path}
    return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=600)


def test_the_readme_shows_the_two_commands() -> None:
    shown = "".join(text for kind, text in BLOCKS if kind == "sh")
    assert "make quickstart" in shown
    assert "make test" in shown


def test_nothing_is_left_to_fill_in() -> None:
    blanks = re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", README)
    variables = {"PIP_EXTRA_INDEX_URL", "ALFWORLD_DATA", "AGENTGYM_CACHE"}
    assert set(blanks) <= variables | {"AGENTGYM_SEARCH_DATA", "AGENTGYM_WEBSHOP_DATA"}


def test_every_block_is_of_a_kind_that_is_run() -> None:
    assert {kind for kind, _ in BLOCKS} <= {"sh", "python", "text"}


@pytest.mark.slow
def test_every_command_of_the_readme_works(tmp_path: Path) -> None:
    lines = [
        line.partition("#")[0].strip()
        for kind, text in BLOCKS
        if kind == "sh"
        for line in text.splitlines()
    ]
    for line in filter(None, lines):
        words = shlex.split(line)
        if words[0] == "make":
            done = run(["make", "-n", *words[1:]], ROOT)
        else:
            done = run(words, tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def test_the_readmes_own_environment_keeps_the_contract(tmp_path: Path) -> None:
    (code,) = (text for kind, text in BLOCKS if kind == "python")
    (tmp_path / "own.py").write_text(code.partition("\nregister(")[0], encoding="utf-8")
    done = run(["agentgym", "check", "own:Safe"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("code", [text for kind, text in BLOCKS if kind == "python"])
def test_every_python_block_of_the_readme_runs(code: str, tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(code, encoding="utf-8")
    done = run([sys.executable, "example.py"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "success" in done.stdout

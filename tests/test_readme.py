"""Every code block of the README runs; `make` lines are planned with `make -n`, not carried out."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from documents import ROOT, blocks, run, run_lines

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = blocks(ROOT / "README.md")


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
    run_lines("".join(text for kind, text in BLOCKS if kind == "sh"), tmp_path)


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

"""Whose a sandbox is, and what may be removed: E6, and death in the middle of a command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from processes import wait_gone
from sandbox_drivers import make, why_not

from agentgym.cli import main
from agentgym.sandboxes import owners
from agentgym.sandboxes.cgroups import find_hierarchy

pytestmark = pytest.mark.usefixtures("apart")

OTHER = """
import sys
from agentgym.sandboxes.bubblewrap import Bubblewrap
sandbox = Bubblewrap(run="other")
print(sandbox._labelled.folder.name, flush=True)
sandbox.exec("setsid sleep 600 & sleep 600", timeout_s=600)
"""


@contextmanager
def another_program() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """One that runs a command in a sandbox; the sandbox's name."""
    if (reason := why_not("bubblewrap")) is not None:
        pytest.skip(reason)
    with subprocess.Popen(
        [sys.executable, "-c", OTHER], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def names() -> set[str]:
    """The sandboxes that are listed."""
    return {each.folder.name for each in owners.listed()}


def groups(name: str) -> list[Path]:
    """A sandbox's control groups."""
    hierarchy = find_hierarchy()
    parents = hierarchy.parents.values() if hierarchy else ()
    return [parent / name for parent in parents if (parent / name).exists()]


def test_a_sandbox_is_listed_as_long_as_it_lives(capsys: pytest.CaptureFixture[str]) -> None:
    before = names()
    with make("bubblewrap", run="mine; $(x)"):
        (name,) = names() - before
        assert main(["sandbox", "list", "--json"]) == 0
        (row,) = (row for row in json.loads(capsys.readouterr().out) if row["sandbox"] == name)
        assert row["state"] == "live" and row["pid"] == os.getpid() and row["run"] == "mine; $(x)"
        assert main(["sandbox", "list"]) == 0
        assert name in capsys.readouterr().out
    assert names() == before and groups(name) == []


def test_prune_removes_what_a_killed_program_left_and_nothing_of_a_live_one() -> None:
    with another_program() as (process, name), make("bubblewrap") as mine:
        assert name in names() and name not in {each.folder.name for each in owners.prune()}
        below = [each.pid for each in psutil.Process(process.pid).children(recursive=True)]
        assert below
        process.kill()
        process.wait()
        assert wait_gone(below) == []  # no sandbox outlives its program, swept or not
        assert name in {each.folder.name for each in owners.prune()}
        assert name not in names() and groups(name) == []
        assert mine.exec("echo untouched", timeout_s=30).output == "untouched\n"


def test_the_first_sandbox_of_a_program_sweeps() -> None:
    with another_program() as (process, name):
        process.kill()
        process.wait()
        with another_program() as (_, second):
            assert name not in names() and second in names()


def test_only_a_process_of_this_machine_is_provably_gone() -> None:
    with make("bubblewrap"):
        mine = [each.owner for each in owners.listed() if each.owner.pid == os.getpid()][0]
    assert mine.state == "live"
    assert replace(mine, started=mine.started + 1).state == "orphaned"  # the number is used again
    assert replace(mine, pid=2**22 + 1).state == "orphaned"
    assert replace(mine, host="elsewhere", pid=2**22 + 1).state == "unknown"
    assert replace(mine, boot="another", pid=2**22 + 1).state == "unknown"


def test_a_folder_without_a_whole_label_is_left_alone() -> None:
    folder = owners.root() / "agentgym-halfway"
    folder.mkdir(exist_ok=True)
    try:
        (folder / owners.LABEL).write_text('{"host": ', encoding="utf-8")
        assert "agentgym-halfway" not in names()
        owners.prune()
        assert folder.is_dir()
    finally:
        (folder / owners.LABEL).unlink()
        folder.rmdir()

"""Bubblewrap on machines that are not this one: without root, with other control groups."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import sandbox_as_nobody
import sandbox_deadlines
import sandbox_deaths
from processes import wait_gone
from sandbox_drivers import make, why_not

from agentgym.errors import SandboxError
from agentgym.sandbox import Limits
from agentgym.sandboxes.cgroups import Cgroup, find_hierarchy

LIMITS = Limits(memory_bytes=2**28, processes=20, cpus=0.5)


def test_it_needs_no_root(tmp_path_factory: pytest.TempPathFactory) -> None:
    """As root, by a program that gives root up; else all tests of this driver show it."""
    if (reason := why_not("bubblewrap")) is not None or os.geteuid() != 0:
        pytest.skip(reason or "this is not root")
    source = Path("/tmp") / f"agentgym-nobody-{os.getpid()}"  # pytest's folders are closed to it
    source.mkdir()
    try:
        (source / "given").write_text("given\n", encoding="utf-8")
        for each in (source, source / "given"):
            os.chown(each, sandbox_as_nobody.NOBODY, sandbox_as_nobody.NOBODY)
        command = [sys.executable, sandbox_as_nobody.__file__, str(source)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.stdout.splitlines()[1:] == [
            "given", "agent", "[('given', 'deleted')]", "True", "True", "there is room",
        ], done.stderr  # fmt: skip
        assert (source / "given").is_file()
    finally:
        (source / "given").unlink()
        source.rmdir()


def test_without_groups_a_deadline_at_any_moment_leaves_nothing() -> None:
    """Also while bubblewrap starts, when its inner process does not yet die with the outer one."""
    if (reason := why_not("bubblewrap")) is not None or os.geteuid() != 0:
        pytest.skip(reason or "this is not root")
    seconds = str(10**6 + os.getpid())
    command = [sys.executable, sandbox_deadlines.__file__, seconds]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "{'deadline'}\n"
        assert end_with(f"sleep {seconds}") == []
        below = psutil.Process(process.pid).children(recursive=True)
        assert [each.name() for each in below] == ["unshare", "head"]  # not even their remains


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_a_program_killed_at_any_moment_leaves_no_command(user: str) -> None:
    """Also while helpers and bubblewrap start, when nothing dies with another yet."""
    if (reason := why_not("bubblewrap")) is not None or os.geteuid() != 0:
        pytest.skip(reason or "this is not root")
    seconds = str(2 * 10**6 + os.getpid())
    command = [sys.executable, sandbox_deaths.__file__, seconds, user]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "{9}\n", done.stderr
    assert end_with(seconds) == []


def end_with(text: str) -> list[str]:
    """Kill processes that have a text in their command line and do not end; their command lines."""
    mine = [each for each in psutil.process_iter() if text in " ".join(words(each))]
    left = wait_gone([each.pid for each in mine], timeout_s=3)
    found = [" ".join(words(each)) for each in mine if each.pid in left]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return found


def words(process: psutil.Process) -> list[str]:
    """Its command line; empty when it has ended."""
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def test_what_the_user_shows_is_read_only_and_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("shown", encoding="utf-8")
    with make("bubblewrap", mounts=[tmp_path]) as sandbox:
        assert sandbox.read(f"{tmp_path}/tool", timeout_s=30) == b"shown"
        assert sandbox.exec(f"echo x > {tmp_path}/tool", timeout_s=30).exit_code != 0


def test_a_workspace_that_cannot_be_made_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    make("bubblewrap").close()
    limits = Limits(disk_files=1)
    with pytest.raises(SandboxError, match="cannot make the sandbox's workspace: mkdir.*No space"):
        make("bubblewrap", limits=limits)


def test_many_short_commands_do_not_use_up_the_processes() -> None:
    """The kernel counts a process for a while after its end."""
    with make("bubblewrap", limits=Limits(processes=8)) as sandbox:
        for _ in range(5):
            assert sandbox.exec("/bin/true | /bin/true", timeout_s=30).exit_code == 0


def v2(root: Path, path: str, *, passed: str) -> Path:
    """A group as version 2 of the kernel's interface shows it."""
    group = root / path
    group.mkdir(parents=True, exist_ok=True)
    (group / "cgroup.subtree_control").write_text(passed, encoding="utf-8")
    (group / "cgroup.procs").write_text("", encoding="utf-8")
    return group


def test_version_2_is_found_where_controllers_are_passed_on(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("0::/user.slice/session\n", encoding="utf-8")
    root = tmp_path / "cgroup"
    v2(root, "", passed="cpu memory pids\n")
    v2(root, "user.slice", passed="memory pids\n")
    v2(root, "user.slice/session", passed="\n")  # it has processes: it can pass nothing on
    hierarchy = find_hierarchy(mount=root, own=own)
    assert str(hierarchy) == "cgroup v2 (memory, pids)"
    v2(root, "user.slice", passed="\n")
    hierarchy = find_hierarchy(mount=root, own=own)
    assert hierarchy is not None and str(hierarchy) == "cgroup v2 (memory, pids, cpu)"
    group = Cgroup(hierarchy, "agentgym-x", LIMITS)
    (folder,) = group.folders
    assert folder == root / "agentgym-x" and group.joins == (folder / "cgroup.procs",)
    written = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
    assert written == {"memory.max": "268435456", "pids.max": "20", "cpu.max": "50000 100000"}
    (folder / "memory.events").write_text("low 0\noom 3\noom_kill 2\n", encoding="utf-8")
    assert group.num_killed() == 2


def test_version_1_needs_memory_and_pids(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("4:memory:/a/b\n3:cpu,cpuacct:/\n2:pids:/elsewhere\n0::/\n", encoding="utf-8")
    root = tmp_path / "cgroup"
    for path in ("memory/a/b", "memory", "pids"):
        (root / path).mkdir(parents=True, exist_ok=True)
        (root / path / "cgroup.procs").write_text("", encoding="utf-8")
    hierarchy = find_hierarchy(mount=root, own=own)
    assert hierarchy is not None and str(hierarchy) == "cgroup v1 (memory, pids)"
    assert hierarchy.parents == {"memory": root / "memory" / "a" / "b", "pids": root / "pids"}
    (root / "pids" / "cgroup.procs").unlink()
    assert find_hierarchy(mount=root, own=own) is None
    assert find_hierarchy(mount=root, own=tmp_path / "missing") is None

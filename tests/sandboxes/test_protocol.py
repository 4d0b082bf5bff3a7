"""What every driver does: run, read, write, keep, compare, end."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_drivers import DRIVERS, WAIT_S, make, why_not

from agentgym.errors import SandboxError, UsageError
from agentgym.sandbox import Change, ExecResult, Limits, Sandbox, choose


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file, a script, a link and a folder."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "a").write_bytes(b"one\n")
    (folder / "run").write_bytes(b"#!/bin/sh\n")
    (folder / "run").chmod(0o755)
    (folder / "link").symlink_to("a")
    (folder / "sub" / "deep").mkdir(parents=True)
    for name in ("sub/b", "sub/c", "sub/deep/d"):
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.fixture(scope="module", params=DRIVERS)
def shared(request: pytest.FixtureRequest, source: Path) -> Iterator[tuple[Sandbox, str]]:
    """A sandbox and its snapshot of the start."""
    limits = Limits(output_bytes=1000, read_bytes=5000)
    with make(request.param, source=source, limits=limits) as sandbox:
        yield sandbox, sandbox.snapshot(timeout_s=WAIT_S)


@pytest.fixture
def sandbox(shared: tuple[Sandbox, str]) -> Sandbox:
    """As it was made."""
    made, start = shared
    made.restore(start, timeout_s=WAIT_S)
    return made


def run(sandbox: Sandbox, command: str) -> ExecResult:
    """A command that takes no time."""
    return sandbox.exec(command, timeout_s=WAIT_S)


def test_a_command_that_fails_is_a_result(sandbox: Sandbox) -> None:
    assert run(sandbox, "echo out; echo err >&2; exit 3") == ExecResult(
        exit_code=3, output="out\nerr\n"
    )
    assert run(sandbox, "echo out > /dev/stdout; echo err > /dev/stderr").output == "out\nerr\n"
    assert run(sandbox, "kill -9 $$").exit_code == 137
    assert run(sandbox, "no-such-command").exit_code == 127


@pytest.mark.parametrize("command", ["echo \0", "echo " + 140_000 * "x"], ids=["NUL", "too long"])
def test_a_command_that_no_shell_takes_is_a_result(sandbox: Sandbox, command: str) -> None:
    assert run(sandbox, command).exit_code == 126


def test_every_text_is_a_command(sandbox: Sandbox) -> None:
    for text in ("", " ", "\n", "\ud800", "\udcff", "if", "'", "\x1b[2J", "exec 0<&-; cat"):
        assert run(sandbox, text).killed is None


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_environment_is_empty_but_for_what_is_given(driver: str, source: Path) -> None:
    with make(driver, source=source, environment={"GIVEN": "a b;$c\n'"}) as sandbox:
        assert run(sandbox, 'printf %s "$GIVEN"').output == "a b;$c\n'"
        names = run(sandbox, "env -0 | cut -z -d= -f1 | tr '\\0' ' '").output.split()
        assert set(names) - {"PWD", "SHLVL", "_"} == {"GIVEN", "HOME", "LANG", "PATH"}


def test_at_its_deadline_a_command_is_killed_and_what_it_printed_is_kept(sandbox: Sandbox) -> None:
    began = time.monotonic()
    result = sandbox.exec("echo begun; sleep 600 & sleep 600", timeout_s=1.5)
    assert (result.output, result.killed) == ("begun\n", "deadline")
    assert time.monotonic() - began < 6
    assert run(sandbox, "echo goes on").output == "goes on\n"


def test_a_command_that_leaves_something_running_ends_all_the_same(sandbox: Sandbox) -> None:
    began = time.monotonic()
    assert run(sandbox, "sleep 600 & echo done").output == "done\n"
    assert time.monotonic() - began < 5


def test_of_a_long_output_start_and_end_are_kept(sandbox: Sandbox) -> None:
    result = run(sandbox, "echo first; seq 100000; echo last")
    num_bytes = sum(len(f"{i}\n") for i in range(1, 100_001)) + len("first\nlast\n")
    assert result.lost_bytes == num_bytes - 1000
    assert result.output.startswith("first\n1\n") and result.output.endswith("\n100000\nlast\n")
    assert f"\n[... {result.lost_bytes:,} bytes left out ...]\n" in result.output


def test_files_are_bytes_and_folders_come_by_themselves(sandbox: Sandbox) -> None:
    for path in ("new/er/file", "a", "-n", " spa ce\n", "\udcff", "sub/b", "./x"):
        sandbox.write(path, b"\0\xff\r\n", timeout_s=WAIT_S)
        assert sandbox.read(path, timeout_s=WAIT_S) == b"\0\xff\r\n"
    sandbox.write("empty", b"", timeout_s=WAIT_S)
    assert sandbox.read("empty", timeout_s=WAIT_S) == b""


def test_a_path_that_cannot_be_used_is_an_error_of_the_path(sandbox: Sandbox) -> None:
    run(sandbox, "mkfifo pipe; seq 5000 > long")
    with pytest.raises(FileNotFoundError, match="no such file"):
        sandbox.read("missing", timeout_s=WAIT_S)
    for path in ("sub", "pipe"):  # a pipe would keep us waiting
        with pytest.raises(OSError, match="not a file"):
            sandbox.read(path, timeout_s=WAIT_S)
        with pytest.raises(OSError, match="not a file"):
            sandbox.write(path, b"", timeout_s=WAIT_S)
    with pytest.raises(OSError, match="more than 5,000 bytes"):
        sandbox.read("long", timeout_s=WAIT_S)
    with pytest.raises(OSError, match="NUL"):
        sandbox.read("a\0b", timeout_s=WAIT_S)


def test_a_snapshot_brings_back_all_files(sandbox: Sandbox) -> None:
    sandbox.write("a", b"two", timeout_s=WAIT_S)
    kept = sandbox.snapshot(timeout_s=WAIT_S)
    run(sandbox, "rm -r a sub; echo > new")
    sandbox.restore(kept, timeout_s=WAIT_S)
    assert run(sandbox, "cat a sub/*; ls new").output.startswith("twosub/bsub/c")
    sandbox.restore(kept, timeout_s=WAIT_S)  # it can be used again
    assert [each.path for each in sandbox.diff(timeout_s=WAIT_S)] == ["a"]
    with pytest.raises(UsageError, match="no snapshot '../x'"):
        sandbox.restore("../x", timeout_s=WAIT_S)


CHANGES = {
    "touch a; mkdir empty; chmod 600 a": [],
    "echo two > a": [Change(path="a", kind="file", data=b"two\n")],
    "chmod +x a": [Change(path="a", kind="file", data=b"one\n", executable=True)],
    "rm a link": [Change(path="a", kind="deleted"), Change(path="link", kind="deleted")],
    "rm -r sub": [Change(path="sub", kind="deleted")],
    "rm link; ln -s run link": [Change(path="link", kind="link", data=b"run")],
    "rm a; mkfifo a": [Change(path="a", kind="deleted")],
    "rm -r sub; mkdir sub; printf sub/b > sub/b": [
        Change(path="sub/c", kind="deleted"),
        Change(path="sub/deep", kind="deleted"),
    ],
    "rm -r sub/deep; echo x > sub/deep": [
        Change(path="sub/deep", kind="deleted"),
        Change(path="sub/deep", kind="file", data=b"x\n"),
    ],
    "rm a; mkdir a; echo x > a/y": [
        Change(path="a", kind="deleted"),
        Change(path="a/y", kind="file", data=b"x\n"),
    ],
    "ln a hard; printf é > $'\\xff'": [
        Change(path="hard", kind="file", data=b"one\n"),
        Change(path="\udcff", kind="file", data="é".encode()),
    ],
    "printf x > hidden; chmod 000 hidden": [Change(path="hidden", kind="file", data=b"x")],
    "truncate -s 4000 sparse": [Change(path="sparse", kind="file", data=bytes(4000))],
}


@pytest.mark.parametrize("command", CHANGES)
def test_a_diff_says_what_differs(sandbox: Sandbox, command: str) -> None:
    assert run(sandbox, command).exit_code == 0
    assert list(sandbox.diff(timeout_s=WAIT_S)) == CHANGES[command]


def test_a_diff_that_is_too_large_is_refused(sandbox: Sandbox) -> None:
    run(sandbox, "truncate -s 3000 x; ln x y")
    with pytest.raises(OSError, match="the diff has 6,000 bytes, more than 5,000"):
        sandbox.diff(timeout_s=WAIT_S)


NAMES = st.sampled_from(["a", "link", "run", "sub", "sub/b", "sub/deep", "sub/deep/d", "new"])
LEAVES = st.sampled_from(["a", "link", "run", "sub/b", "new"])
"""No folder is copied into itself: what comes of that depends on the file system."""
STEPS = st.one_of(
    st.builds("rm -rf {}".format, NAMES),
    st.builds("mkdir -p {}".format, NAMES),
    st.builds("echo {} > {}".format, st.integers(0, 1), NAMES),
    st.builds("mv -T {} {}".format, NAMES, NAMES),
    st.builds("cp -aT {} {}".format, LEAVES, NAMES),
    st.builds("ln -sfT {} {}".format, NAMES, NAMES),
)


def test_drivers_see_the_same_differences(source: Path, tmp_path: Path) -> None:
    """Several copies of the tree at once: a sandbox's calls cost more than what they do."""
    for number in range(8):
        shutil.copytree(source, tmp_path / str(number), symlinks=True)
    with ExitStack() as opened:
        working = [driver for driver in DRIVERS if why_not(driver) is None]
        drivers = [opened.enter_context(make(driver, source=tmp_path)) for driver in working]
        started = [(each, each.snapshot(timeout_s=WAIT_S)) for each in drivers]

        @settings(max_examples=5)
        @given(st.lists(st.lists(STEPS, min_size=2, max_size=12), min_size=8, max_size=8))
        def check(scripts: list[list[str]]) -> None:
            lines = [f"(cd {n}; {'; '.join(steps)})" for n, steps in enumerate(scripts)]
            diffs = []
            for sandbox, start in started:
                sandbox.restore(start, timeout_s=WAIT_S)
                sandbox.exec("\n".join(lines), timeout_s=WAIT_S)
                diffs.append(sandbox.diff(timeout_s=WAIT_S))
            assert diffs[1:] == diffs[:-1]

        check()


def test_the_source_never_changes(sandbox: Sandbox, source: Path) -> None:
    def content() -> dict[str, bytes]:
        files = [Path(folder) / name for folder, _, names in os.walk(source) for name in names]
        return {str(file): file.read_bytes() for file in files}

    before = content()
    run(sandbox, "echo changed > a; rm -r sub; echo x > link")
    assert content() == before


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_closed_sandbox_answers_nothing_and_closes_again(driver: str, source: Path) -> None:
    with make(driver, source=source) as sandbox:
        pass
    sandbox.close()
    for call in (sandbox.snapshot, sandbox.diff):
        with pytest.raises(SandboxError, match="closed"):
            call(timeout_s=WAIT_S)
    with pytest.raises(SandboxError, match="closed"):
        sandbox.exec("ls", timeout_s=WAIT_S)
    with pytest.raises(UsageError, match="must be a folder"):
        make(driver, source=source / "missing")


def test_no_driver_without_isolation_is_chosen() -> None:
    make("bubblewrap").close()  # skips where nothing isolates
    assert choose() == "bubblewrap"

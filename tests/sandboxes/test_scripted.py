"""The scripted sandbox replays, remembers what is written, and fails on demand."""

from __future__ import annotations

import pytest

from agentgym.errors import DeadlineError, SandboxError
from agentgym.registry import sandboxes
from agentgym.sandbox import ExecResult, Sandbox
from agentgym.sandboxes.scripted import ScriptedSandbox

LISTED = ExecResult(exit_code=0, output="a b\n")


def test_it_is_a_sandbox_by_name() -> None:
    sandbox: Sandbox = sandboxes.make("scripted", results={"ls": LISTED})
    assert sandbox.exec("ls", timeout_s=1) == LISTED


def test_an_unscripted_command_is_not_found_which_is_a_result() -> None:
    assert ScriptedSandbox().exec("ls", timeout_s=1).exit_code == 127


def test_files_are_given_or_written() -> None:
    given = {"a": b"1"}
    sandbox = ScriptedSandbox(files=given)
    sandbox.write("b", b"\0\xff", timeout_s=1)
    assert sandbox.read("a", timeout_s=1) == b"1"
    assert sandbox.read("b", timeout_s=1) == b"\0\xff"
    assert given == {"a": b"1"}
    with pytest.raises(FileNotFoundError, match="no file 'c' in the sandbox"):
        sandbox.read("c", timeout_s=1)


def test_faults_come_on_demand_by_command_or_path() -> None:
    sandbox = ScriptedSandbox(
        results={"ls": LISTED, "make": LISTED},
        faults={"make": DeadlineError("make took longer than 1 s"), "disk": SandboxError("full")},
    )
    assert sandbox.exec("ls", timeout_s=1) == LISTED
    with pytest.raises(DeadlineError, match="make took longer"):
        sandbox.exec("make", timeout_s=1)
    with pytest.raises(SandboxError, match="full"):
        sandbox.write("disk", b"", timeout_s=1)
    with pytest.raises(SandboxError, match="full"):
        sandbox.read("disk", timeout_s=1)


def test_a_closed_sandbox_answers_nothing_and_closes_again() -> None:
    sandbox = ScriptedSandbox(results={"ls": LISTED}, files={"a": b""})
    sandbox.close()
    sandbox.close()
    with pytest.raises(SandboxError, match="closed"):
        sandbox.exec("ls", timeout_s=1)
    with pytest.raises(SandboxError, match="closed"):
        sandbox.read("a", timeout_s=1)
    with pytest.raises(SandboxError, match="closed"):
        sandbox.write("a", b"", timeout_s=1)

"""The judge: applies a patch to a pristine copy and runs the hidden tests where no agent was."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from agentgym.envs.swe.problem import Problem, Suite
from agentgym.envs.swe.tools import tools_of
from agentgym.envs.swe.trees import write_tree
from agentgym.errors import SandboxError
from agentgym.sandbox import Change, Sandbox
from agentgym.types import Json

RUNNERS = Path(__file__).parent / "runners"
FOLDER = ".judge"
PASSED = "passed"
NO_REPORT = "no report"
CHANGED = "the patch changed what judges it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """What the tests say of a patch."""

    tests: Mapping[str, str]
    """What each test that was seen did; empty where the run cannot be believed."""
    flaw: str | None
    """Why the run cannot be believed; None where it can."""
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]

    @property
    def resolved(self) -> bool:
        """Whether every required test was seen and passed."""
        return self.fraction == 1.0

    @property
    def fraction(self) -> float:
        """The share of mended tests times that of those still sound: 0 without a change."""
        return self._share(self.fail_to_pass) * self._share(self.pass_to_pass)

    def _share(self, names: Sequence[str]) -> float:
        passed = sum(self.tests.get(name) == PASSED for name in names)
        return passed / len(names) if names else 1.0

    @property
    def facts(self) -> dict[str, Json]:
        """Scores by name, and the result of each test that matters."""
        said = {name: self.tests.get(name, "missing") for name in self.pass_to_pass}
        return {
            "resolved": float(self.resolved),
            "fraction": self.fraction,
            "flaw": self.flaw,
            "fail_to_pass": {name: self.tests.get(name, "missing") for name in self.fail_to_pass},
            "still_passed": sum(word == PASSED for word in said.values()),
            "broken": {name: word for name, word in said.items() if word != PASSED},
        }


def grade(
    problem: Problem,
    changes: Sequence[Change] | None,
    *,
    sandbox: Callable[..., Sandbox],
    timeout_s: float,
) -> Grade:
    """Run all tests of a problem on a patched pristine copy, in a sandbox of its own.

    Args:
        changes: the patch; None where it is too large to be one.
        sandbox: makes one from a folder and `mounts`; see `host.open_sandbox`.

    Raises:
        SandboxError: the sandbox failed, or the tests run on no copy at all, or too slowly.
    """

    def run(counted: Sequence[Change]) -> dict[str, Any] | None:
        files = {**patched(problem, counted), **problem.hidden}
        return run_tests(problem.suite, files, sandbox=sandbox, timeout_s=timeout_s)

    required = problem.fail_to_pass, problem.pass_to_pass
    return grade_runs(run, changes, required=required, timeout_s=timeout_s)


def grade_runs(
    run: Callable[[Sequence[Change]], dict[str, Any] | None],
    changes: Sequence[Change] | None,
    *,
    required: tuple[tuple[str, ...], tuple[str, ...]],
    timeout_s: float,
) -> Grade:
    """What the tests say of a patch, and whose fault it is where they say nothing.

    Args:
        run: the runner's report on a pristine copy with a patch; None where there is none.
        required: the tests to mend, and those to keep.
        timeout_s: what `run` gives the tests.

    Raises:
        SandboxError: the tests run on no copy at all, or too slowly.
    """
    report, flaw = None if changes is None else run(changes), None
    if report is None:
        # Ours or the patch's? Without the patch the tests must run, and not nearly take as long as
        # they may: on so busy a machine a good patch would have been too slow as well.
        began = time.monotonic()
        bare = run(())
        if bare is None or time.monotonic() - began > timeout_s / 2:
            raise SandboxError(
                "the tests run neither with the patch nor without it in good time: they have "
                f"{timeout_s:g} seconds"
            )
        flaw = NO_REPORT
    elif report["changed"]:
        flaw = CHANGED
    return Grade(
        tests={} if flaw or report is None else report["tests"],
        flaw=flaw,
        fail_to_pass=required[0],
        pass_to_pass=required[1],
    )


def patched(problem: Problem, changes: Sequence[Change]) -> dict[str, bytes]:
    """The pristine files with the part of a patch that counts."""
    files = dict(problem.files)
    for change in changes:
        if change.kind == "deleted":
            below = [path for path in files if f"{path}/".startswith(f"{change.path}/")]
            for path in filter(problem.counts, below):
                del files[path]
        elif change.kind == "file" and problem.counts(change.path) and _fits(change.path, files):
            files[change.path] = change.data
    return files


def _fits(path: str, files: Mapping[str, bytes]) -> bool:
    """Whether no folder stands in a file's place, and no file in that of a folder above it."""
    above = map(str, PurePosixPath(path).parents)
    below = any(each.startswith(f"{path}/") for each in files)
    return not below and not any(each in files for each in above)


def run_tests(
    suite: Suite,
    files: Mapping[str, bytes],
    *,
    sandbox: Callable[..., Sandbox],
    timeout_s: float,
) -> dict[str, Any] | None:
    """The runner's report on these files, tests included; None where there is none."""
    nonce, tools = secrets.token_hex(16), tools_of(suite)
    with TemporaryDirectory(prefix="agentgym-swe-") as scratch:
        folder = Path(scratch)
        write_tree(folder, files)
        write_tree(folder, order_files(suite, nonce, path=[str(each) for each in tools]))
        with sandbox(folder, mounts=tools) as box:
            return run_order(box, nonce, timeout_s=timeout_s)


def order_files(suite: Suite, nonce: str, *, path: Sequence[str] | None) -> dict[str, bytes]:
    """What is added to the workspace to run the tests in it.

    Args:
        path: the folders that have pytest; None is the sandbox's own, with its plug-ins and the
            configuration of what is tested.
    """
    order = {
        "nonce": nonce,
        "report": f"{FOLDER}/{nonce}",
        "files": suite.files,
        "roots": suite.roots,
        "path": path,
        "config": f"{FOLDER}/empty.ini",
    }
    return {
        f"{FOLDER}/run.py": (RUNNERS / f"by_{suite.runner}.py").read_bytes(),
        f"{FOLDER}/order.json": json.dumps(order).encode(),
        f"{FOLDER}/empty.ini": b"[pytest]\n",
    }


def run_order(box: Sandbox, nonce: str, *, timeout_s: float) -> dict[str, Any] | None:
    """Run the tests of a workspace that has an order in it; the report, or None."""
    box.exec(f"python3 -I -S -B {FOLDER}/run.py {FOLDER}/order.json", timeout_s=timeout_s)
    try:
        found = json.loads(box.read(f"{FOLDER}/{nonce}", timeout_s=timeout_s))
    except (OSError, ValueError, RecursionError):
        return None
    sound = isinstance(found, dict) and found.get("nonce") == nonce
    return found if sound else None

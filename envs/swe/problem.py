"""Problem: what a task of SWE holds, read from its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from agentgym.envs.swe.mined.sdists import get_repository, pristine
from agentgym.errors import UsageError
from agentgym.types import Task

NEVER_COUNT = ("__pycache__", "tests", "test", "conftest.py")
"""Whatever is in such a folder, or is such a file, is no part of a solution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One place in one file, and what takes its place."""

    path: str
    old: str
    """Occurs once in the file."""
    new: str

    def apply(self, text: str) -> str:
        """The text with the new part in it."""
        assert text.count(self.old) == 1, f"{self.path}: {text.count(self.old)} times: {self.old}"
        return text.replace(self.old, self.new)

    def made_in(self, text: str) -> bool:
        """Whether it was made already, or the place is gone."""
        return self.new in text if self.old in self.new else self.old not in text


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Which tests judge, and how they are run."""

    runner: Literal["unittest", "pytest"]
    files: tuple[str, ...]
    roots: tuple[str, ...] = (".",)
    """The folders from which modules are imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A package with a bug, and what tells whether it was mended."""

    statement: str
    source: tuple[str, ...]
    """What a solution may change: files, and folders, which end in "/"."""
    files: Mapping[str, bytes]
    """Path -> content: what the agent starts from."""
    hidden: Mapping[str, bytes]
    """The tests that are added for grading."""
    solution: tuple[Edit, ...]
    """The reverse patch."""
    suite: Suite
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]

    def counts(self, path: str) -> bool:
        """Whether a change of that file is part of a solution; tests and their set-up are not."""
        parts = PurePosixPath(path).parts
        if path in self.hidden or set(parts) & {*NEVER_COUNT, ".."} or path.endswith(".pyc"):
            return False
        if parts[-1].startswith("test_") and path not in self.files:
            return False
        return any(
            path == each or each.endswith("/") and path.startswith(each) for each in self.source
        )


def read_problem(task: Task) -> Problem:
    """The problem of a task.

    Raises:
        UsageError: no test tells whether it is solved.
    """
    public: Any = task.public
    secret: Any = task.secret
    if not secret["fail_to_pass"]:
        raise UsageError(f"task '{task.id}' has no test that a solution must make pass")
    names = (*secret["fail_to_pass"], *secret["pass_to_pass"])
    if "repository" in public:
        repository = get_repository(public["repository"])
        files, hidden = _mined(pristine(repository.id), public, secret)
        by_file = sorted({name.partition("::")[0] for name in names})
        suite = Suite(runner="pytest", files=tuple(by_file), roots=repository.roots)
        source = repository.source
    else:
        files = {path: text.encode() for path, text in public["files"].items()}
        hidden = {path: text.encode() for path, text in secret["tests"].items()}
        by_file = sorted({name.rsplit(".", 2)[0].replace(".", "/") + ".py" for name in names})
        suite, source = Suite(runner="unittest", files=tuple(by_file)), tuple(public["source"])
    return Problem(
        statement=public["statement"],
        source=source,
        files=files,
        hidden=hidden,
        solution=read_solution(secret),
        suite=suite,
        fail_to_pass=tuple(secret["fail_to_pass"]),
        pass_to_pass=tuple(secret["pass_to_pass"]),
    )


def read_solution(secret: Any) -> tuple[Edit, ...]:
    """The edits of a secret; their paths are keys there, since the agent may see those."""
    return tuple(
        Edit(path=path, **change) for each in secret["solution"] for path, change in each.items()
    )


def _mined(
    found: Mapping[str, bytes], public: Any, secret: Any
) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """What the agent starts from, with the bug and without the tests that find it, and these."""
    hidden = {path: found[path] for path in secret["hidden"]}
    files = {path: data for path, data in found.items() if path not in hidden}
    for each in read_solution(secret):
        bug = Edit(path=each.path, old=each.new, new=each.old)
        files[bug.path] = bug.apply(files[bug.path].decode()).encode()
    return files, hidden

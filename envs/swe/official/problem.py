"""ImageProblem: what the task of a record holds, and a sandbox made from its image."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shlex
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from shutil import copytree
from typing import Any

from agentgym.envs.swe.host import RUN
from agentgym.envs.swe.official.patches import changed_files
from agentgym.envs.swe.official.records import FAIL, PASS
from agentgym.envs.swe.problem import Suite
from agentgym.envs.swe.trees import kept
from agentgym.errors import SandboxError, UsageError
from agentgym.registry import sandboxes
from agentgym.sandbox import Limits, Sandbox
from agentgym.tools import Call
from agentgym.types import Task

CONDA = "/opt/miniconda3/envs/testbed"
"""Where the published images have the Python that runs the tests."""
PATCH_FILE = "/tmp/agentgym.patch"
TEST_FOLDERS = {"test", "testing", "tests"}
TEST_FILE = re.compile(r"(test_.*|.*_test|tests?|conftest)\.py$")
NEVER_COUNT = {
    "__pycache__", ".git", ".judge", "pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini",
    "pyproject.toml", "setup.cfg", "tox.ini",
}  # fmt: skip
"""What says how tests are run."""
STARTS = {"sitecustomize", "usercustomize"}
"""The modules that Python imports before all others."""
PACKAGING = (".dist-info", ".egg-info", ".egg-link", ".pth")
"""The endings of what names plug-ins of pytest, or where Python finds packages."""
BUILT = {"__pycache__", ".pytest_cache", "build"}
"""The folders with what was made of the repository, or a copy of it."""
END = "END_OF_PATCH"
PACKED_PATCH = "/tmp/agentgym.patch.base64"
PIECE_CHARS = 2**16
"""Of a patch in one command: Linux takes twice that for a word."""
PULL_S = 3600.0
START_S = 120.0
"""To start a container, and to put a repository of some hundred megabytes into it."""
APPLY_S = 60.0


@dataclass(frozen=True, kw_only=True)
class ImageProblem:
    """A repository in an image, with a bug, and what tells whether it was mended."""

    name: str
    """The task's id."""
    statement: str
    repository: str
    image: str
    workspace: str
    """Where the repository lies in it."""
    mend: str
    """The patch that mends it, or the bug's own."""
    tests: str
    """The patch that brings the tests; "" where the image has them."""
    has_bug: bool
    """Whether `mend` is the bug: the image lacks it."""
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]

    @cached_property
    def suite(self) -> Suite:
        """All files with a test that matters."""
        names = (*self.fail_to_pass, *self.pass_to_pass)
        files = sorted({name.partition("::")[0] for name in names})
        return Suite(runner="pytest", files=tuple(files), roots=())

    @cached_property
    def _mended_files(self) -> frozenset[str]:
        return changed_files(self.mend)

    @cached_property
    def _test_files(self) -> frozenset[str]:
        return changed_files(self.tests)

    def counts(self, path: str) -> bool:
        """Whether a change of that file is part of a solution; tests and their set-up are not.

        A bug's own files always are: without their changes they are right.
        """
        if self.has_bug and path in self._mended_files:
            return True
        if path in self._test_files or path.endswith(".pyc") or never_counts(path):
            return False
        # A required test may have any name, and be a doctest of what has to be mended.
        tests = path in self.suite.files or is_test(path)
        return path in self._mended_files or not tests

    def begin(self, box: Sandbox) -> None:
        """Make of a fresh sandbox what the agent is given.

        Raises:
            SandboxError: the bug's patch does not fit.
        """
        if not self.has_bug:
            return
        wrong = apply_patch(box, self.mend)
        # An image may have the bug already.
        if wrong is not None and apply_patch(box, self.mend, "--reverse", "--check") is not None:
            raise SandboxError(f"the patch of '{self.name}' does not fit its image: {wrong}")
        failing = {name.partition("::")[0] for name in self.fail_to_pass}
        hidden = [path for path in sorted(failing) if not self.counts(path)]
        box.exec(f"rm -f -- {shlex.join(hidden)}", timeout_s=APPLY_S)

    def add_tests(self, box: Sandbox) -> None:
        """Bring the tests into a pristine repository.

        Raises:
            SandboxError: their patch does not fit.
        """
        wrong = apply_patch(box, self.tests) if self.tests else None
        if wrong is not None:
            raise SandboxError(f"the tests of '{self.name}' do not fit its image: {wrong}")

    def next_call(self, box: Sandbox) -> Call:
        """What mends it, or hands in what is mended."""
        options = ["--reverse"] if self.has_bug else []
        if apply_patch(box, self.mend, "--check", *options) is not None:
            return Call(name="submit", arguments={})
        words = shlex.join(["git", "apply", *options])
        if len(self.mend.encode()) > PIECE_CHARS or "```" in self.mend or END in self.mend:
            command = self._packed_command(box, words)
        else:
            command = "\n".join([f"{words} - <<'{END}'", self.mend.removesuffix("\n"), END])
        return Call(name="bash", arguments={"command": command})

    def _packed_command(self, box: Sandbox, words: str) -> str:
        """Write the next piece of a patch that no command can hold as it is, or apply it."""
        data = self.mend.removesuffix("\n") + "\n"
        packed = base64.b64encode(data.encode()).decode()
        told = box.exec(f"cat {PACKED_PATCH} 2> /dev/null | wc -c", timeout_s=APPLY_S).output
        if piece := packed[int(told) :][:PIECE_CHARS]:
            return f"printf %s {piece} >> {PACKED_PATCH}"
        return f"base64 --decode {PACKED_PATCH} | {words} -; rm {PACKED_PATCH}"


def never_counts(path: str) -> bool:
    """Whether a file says how tests are run, or may run before them."""
    parts = PurePosixPath(path).parts
    return (
        not {*parts}.isdisjoint({*NEVER_COUNT, ".."})
        or not {part.partition(".")[0] for part in parts}.isdisjoint(STARTS)
        or any(part.lower().endswith(PACKAGING) for part in parts)  # as importlib.metadata looks
    )


def is_test(path: str) -> bool:
    """Whether a file is one of tests, as the usual names say."""
    *folders, name = PurePosixPath(path).parts
    return bool(TEST_FOLDERS & {*folders}) or TEST_FILE.match(name) is not None


def read_image_problem(task: Task) -> ImageProblem:
    """The problem of a record's task."""
    public: Any = task.public
    secret: Any = task.secret
    required: dict[str, str] = secret["required"]
    return ImageProblem(
        name=task.id,
        statement=public["statement"],
        repository=public["type"],
        image=public["image"],
        workspace=public["workspace"],
        mend=secret["bug"] if "bug" in secret else secret["mend"],
        tests=secret.get("tests", ""),
        has_bug="bug" in secret,
        fail_to_pass=tuple(name for name, word in required.items() if word == FAIL),
        pass_to_pass=tuple(name for name, word in required.items() if word == PASS),
    )


def open_image(
    problem: ImageProblem, driver: str | None, *, limits: Limits, to_mend: bool = False
) -> Sandbox:
    """A sandbox of a record's image, with its repository as it is there, but without its history.

    The history may hold the solution: of SWE-smith's images the last commit is mended, and of
    older ones of SWE-bench later commits can be found.

    Args:
        to_mend: also without what was built of a repository whose image lacks the bug: that has
            the solution, too.

    Raises:
        UsageError: the driver is another one than Docker, or its package is not installed.
        SandboxError: there is no such image, or none can be started.
    """
    if driver not in (None, "docker"):
        raise UsageError(f"'{problem.name}' has an image, which needs docker, not '{driver}'")
    docker: Any = sandboxes.get("docker")
    image = docker.get_image(problem.image, timeout_s=PULL_S)

    def fill(folder: Path) -> None:
        docker.copy_out(problem.image, problem.workspace, folder, without=[".git"])

    found = hashlib.sha256(f"{image.digest}\n{problem.workspace}".encode()).hexdigest()[:32]
    source = kept(f"images/{found}", fill)
    if to_mend and problem.has_bug:
        source = kept(f"images/{found}-unbuilt", partial(link_unbuilt, source))
    made: Sandbox = docker(
        source=source,
        image=problem.image,
        workspace=problem.workspace,
        limits=limits,
        run=RUN,
        # What activating it comes to, which each command would have to do.
        environment={
            "PATH": f"{CONDA}/bin:{image.environment.get('PATH', '/usr/local/bin:/usr/bin:/bin')}",
            "CONDA_PREFIX": CONDA,
            "CONDA_DEFAULT_ENV": "testbed",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        timeout_s=START_S,
    )
    return made


def link_unbuilt(source: Path, folder: Path) -> None:
    """Give the files of a folder to an empty one, too, but none that was built of others."""

    def built(where: str, names: list[str]) -> set[str]:
        folders = {name for name in {*names} & BUILT if (Path(where) / name).is_dir()}
        return {name for name in folders if not (Path(where) / name / "__init__.py").is_file()}

    copytree(source, folder, symlinks=True, ignore=built, copy_function=os.link, dirs_exist_ok=True)


def apply_patch(box: Sandbox, patch: str, *options: str) -> str | None:
    """Apply a patch to the workspace, all of it or nothing; what is wrong with it, if anything."""
    data = patch.removesuffix("\n") + "\n"  # git calls a last line without its end corrupt
    box.write(PATCH_FILE, data.encode(), timeout_s=APPLY_S)
    words = shlex.join(["git", "apply", *options, PATCH_FILE])
    result = box.exec(f"{words}; code=$?; rm {PATCH_FILE}; exit $code", timeout_s=APPLY_S)
    if result.exit_code == 0:
        return None
    return " ".join(result.output.split())[:500] or f"exit code {result.exit_code}"

"""The judge of records: a fresh container, the agent's changes, the record's tests."""

from __future__ import annotations

import io
import os
import re
import secrets
import tarfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agentgym.envs.swe.judge import PASSED, Grade, grade_runs, order_files, run_order
from agentgym.envs.swe.official.problem import APPLY_S, ImageProblem
from agentgym.sandbox import Change, Sandbox

EXPECTED = "expected failure"
PATHS, FILES, PACKED = "/tmp/paths", "/tmp/files", "/tmp/packed"
LIST_FILES = f"""
while IFS= read -r -d "" each; do
  find "$each" ! -type d -print0
done < {PATHS} > {FILES} 2> /dev/null"""
REPLACE_FILES = f"""
while IFS= read -r -d "" each; do rm -f -- "$each" || exit; done < {FILES}
while IFS= read -r -d "" each; do
  [ ! -d "$each" ] || find "$each" -depth -type d -empty -delete || exit
done < {PATHS}
tar --extract --file={PACKED}; code=$?
rm {PATHS} {FILES} {PACKED}; exit $code"""
CHANGED_ANYHOW: dict[ImageProblem, frozenset[str]] = {}
"""What judges and is changed without a patch; kept, as each run may take minutes."""
FOLDERS_OF_OPTION = re.compile(r"\[/(?!/)[^*\]]*/")


def grade_in_image(
    problem: ImageProblem,
    changes: Sequence[Change] | None,
    *,
    sandbox: Callable[[], Sandbox],
    timeout_s: float,
) -> Grade:
    """Run a record's tests on its repository with a patch, in a sandbox of its own.

    Args:
        changes: the patch; None where it is too large to be one.
        sandbox: makes one with the repository as it is in the image.

    Raises:
        SandboxError: the sandbox failed, or the tests run on no copy at all, or too slowly.
    """

    def run(counted: Sequence[Change]) -> dict[str, Any] | None:
        report = run_in_image(problem, counted, sandbox=sandbox, timeout_s=timeout_s)
        if report and report["changed"] and counted:
            # Plug-ins and tests of the repository may change pytest, too.
            if problem not in CHANGED_ANYHOW:
                bare = run_in_image(problem, (), sandbox=sandbox, timeout_s=timeout_s)
                if bare is None:
                    return report
                CHANGED_ANYHOW[problem] = frozenset(bare["changed"])
            if CHANGED_ANYHOW[problem].issuperset(report["changed"]):
                report["changed"] = []
        return report

    required = problem.fail_to_pass, problem.pass_to_pass
    return grade_runs(run, changes, required=required, timeout_s=timeout_s)


def run_in_image(
    problem: ImageProblem,
    changes: Sequence[Change],
    *,
    sandbox: Callable[[], Sandbox],
    timeout_s: float,
) -> dict[str, Any] | None:
    """The runner's report on the tests that matter; None where there is none."""
    nonce = secrets.token_hex(16)
    with sandbox() as box:
        problem.add_tests(box)
        if not put_changes(problem, box, changes):
            return None
        for path, data in order_files(problem.suite, nonce, path=None).items():
            box.write(path, data, timeout_s=APPLY_S)
        report = run_order(box, nonce, timeout_s=timeout_s)
    if report is not None:
        report["tests"] = as_recorded(report["tests"], problem)
    return report


def put_changes(problem: ImageProblem, box: Sandbox, changes: Sequence[Change]) -> bool:
    """Make the part of a patch that counts, if it fits; whether it does.

    Where a link or a folder took a file's place, the file is gone: what lies in the image may be
    the solution. No link is made, and none that the image has is written through.
    """
    if not changes:
        return True
    paths = [os.fsencode(f"./{each.path}") for each in changes]
    box.write(PATHS, b"".join(path + b"\0" for path in paths), timeout_s=APPLY_S)
    box.exec(LIST_FILES, timeout_s=APPLY_S)
    found = box.read(FILES, timeout_s=APPLY_S).split(b"\0")[:-1]
    gone = [path for path in found if problem.counts(os.fsdecode(path).removeprefix("./"))]
    box.write(FILES, b"".join(path + b"\0" for path in gone), timeout_s=APPLY_S)
    with io.BytesIO() as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for each in changes:
                if each.kind == "file" and problem.counts(each.path):
                    entry = tarfile.TarInfo(each.path)
                    entry.size, entry.mode = len(each.data), 0o755 if each.executable else 0o644
                    tar.addfile(entry, io.BytesIO(each.data))
        box.write(PACKED, packed.getvalue(), timeout_s=APPLY_S)
    return box.exec(REPLACE_FILES, timeout_s=APPLY_S).exit_code == 0


def as_recorded(tests: Mapping[str, str], problem: ImageProblem) -> dict[str, str]:
    """What the required tests did, under the names that records have for them.

    Source: SWE-bench's `log_parsers/python.py`, which reads lines of pytest's summary: a name ends
    at its first white space, for some repositories a path as parameter has lost its folders, and
    an expected failure is as good as passing. Here it is so only for tests that passed before, and
    where a name stands for several tests, they all must pass.
    """
    words: dict[str, set[str]] = {}
    for name, word in tests.items():
        first = (name.split() or [name])[0]
        for spelled in {name, first, FOLDERS_OF_OPTION.sub("[/", first)}:
            words.setdefault(spelled, set()).add(word)
    good = {name: {PASSED, EXPECTED} for name in problem.pass_to_pass}
    good |= {name: {PASSED} for name in problem.fail_to_pass}
    known = good.keys() & words.keys()
    return {name: min(words[name] - good[name], default=PASSED) for name in known}

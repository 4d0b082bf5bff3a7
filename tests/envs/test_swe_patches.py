"""The patches of SWE's records: which files they change, and how the expert applies them."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from sandbox_drivers import WAIT_S, make

from agentgym.envs.swe.command import SWECommand
from agentgym.envs.swe.official.patches import changed_files
from agentgym.envs.swe.official.problem import ImageProblem

HUNK = "@@ -1 +1 @@\n-a\n+b\n"
PATCHES = {
    "of git": (f"diff --git a/a/b.py b/a/b.py\n--- a/a/b.py\n+++ b/a/b.py\n{HUNK}", {"a/b.py"}),
    "of diff": (f"--- a/b.py\t2020-01-01\n+++ b/b.py\t2020-01-02\n{HUNK}", {"b.py"}),
    "a new file": (f"--- /dev/null\n+++ b/c d.py\n{HUNK}", {"c d.py"}),
    "a new file without a line": ("diff --git a/c b/c.py b/c b/c.py\nnew file", {"c b/c.py"}),
    "another name": ("diff --git a/a b/b\nrename from a.py\nrename to b.py\n", {"a.py", "b.py"}),
    "quoted": ('diff --git "a/\\303\\244\\t.py" "b/\\303\\244\\t.py"\n', {"\xe4\t.py"}),
    "quoted in a hunk": (f'--- "a/\\"b.py"\n+++ "b/\\"b.py"\n{HUNK}', {'"b.py'}),
    "lines that look like names": ("--- a/b.py\n+++ b/b.py\n \n", set[str]()),
    "none": ("all of it\n", set[str]()),
}


@pytest.mark.parametrize("name", PATCHES)
def test_a_patch_names_the_files_that_it_changes(name: str) -> None:
    patch, files = PATCHES[name]
    assert changed_files(patch) == files


@pytest.mark.parametrize("line", ["```", "a" * 200_000], ids=["fence", "long"])
def test_the_expert_applies_patches_that_no_block_or_word_can_hold(
    tmp_path: Path, line: str
) -> None:
    before, after = "one\n", f"two\n# {line}\n"
    (tmp_path / "sums.py").write_text(after, encoding="utf-8")
    (tmp_path / "was.py").write_text(before, encoding="utf-8")
    command = ["diff", "-u", "--label=a/sums.py", "--label=b/sums.py", "was.py", "sums.py"]
    patch = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
    (tmp_path / "was.py").rename(tmp_path / "sums.py")
    problem = replace(PROBLEM, mend=patch)
    env = SWECommand()
    with make("bubblewrap", source=tmp_path) as box:
        turns = 0
        (call,) = env.calls(env.write_call(problem.next_call(box)))
        while call.name != "submit":
            told = box.exec(str((call.arguments or {})["command"]), timeout_s=WAIT_S)
            assert (told.exit_code, turns < 9) == (0, True), told.output
            (call,) = env.calls(env.write_call(problem.next_call(box)))
            turns += 1
        assert box.read("sums.py", timeout_s=WAIT_S) == after.encode()


PROBLEM = ImageProblem(
    name="x", statement="", repository="", image="", workspace="", mend="", tests="",
    has_bug=False, fail_to_pass=(), pass_to_pass=(),
)  # fmt: skip

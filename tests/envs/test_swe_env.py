"""SWE: what the tools do, what a state is, and that only a mended package is paid."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from swe_tasks import TALLY, TASKS, begun, call, play_expert

from agentgym.envs.swe.command import SWECommand
from agentgym.envs.swe.env import SWE
from agentgym.envs.swe.host import refuse_installed, refuse_to_show
from agentgym.envs.swe.judge import NO_REPORT, grade, patched
from agentgym.envs.swe.keys import normalise_output
from agentgym.envs.swe.problem import Edit, read_problem
from agentgym.envs.swe.trees import kept
from agentgym.errors import SandboxError, UsageError
from agentgym.registry import sandboxes
from agentgym.sandbox import Change, Sandbox
from agentgym.sandboxes.scripted import ScriptedSandbox
from agentgym.tools import Call
from agentgym.types import Task

PROBLEM = read_problem(TALLY)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_the_null_agent_gets_nothing_and_the_reverse_patch_everything(task: Task) -> None:
    problem = read_problem(task)
    with begun(task) as env:
        null = env.outcome()
        assert (null.score, null.success, null.facts["fraction"]) == (0.0, False, 0.0)
        broken = {name: "failed" for name in problem.fail_to_pass}
        kept = len(problem.pass_to_pass)
        assert kept > 0
        assert null.facts["fail_to_pass"].keys() == broken.keys()  # type: ignore[union-attr]
        assert (null.facts["flaw"], null.facts["still_passed"], null.facts["broken"]) == (
            None,
            kept,
            {},
        )
        turns, mended = play_expert(env)
    assert (mended.score, mended.success, mended.facts["fraction"]) == (1.0, True, 1.0)
    assert set(mended.facts["fail_to_pass"].values()) == {"passed"}  # type: ignore[union-attr]
    assert turns <= 10


def test_every_task_is_a_package_of_its_own_and_says_nothing_of_the_line() -> None:
    assert len({json.dumps(task.public["files"]) for task in TASKS}) == len(TASKS)
    for task in TASKS:
        problem = read_problem(task)
        for edit in problem.solution:
            assert edit.old in problem.files[edit.path].decode()
            assert edit.path not in problem.statement
            for line in (*edit.old.splitlines(), *edit.new.splitlines()):
                assert len(line.strip()) < 12 or line.strip() not in problem.statement


def test_a_command_tells_its_exit_code_and_output() -> None:
    with begun(command_s=0.5) as env:
        assert call(env, "bash", command="echo a; echo b >&2; exit 3") == "exit code 3\na\nb"
        assert call(env, "bash", command="echo a; sleep 9") == "killed after 0.5 seconds\na"
        text = call(env, "bash", command="seq 100000")
        assert "bytes left out ...]" in text and text.endswith("100000")
        assert len(text) < 10_000


def test_files_are_seen_changed_made_and_searched() -> None:
    with begun() as env:
        lines = call(env, "view", path="tally/money.py", start=11).split("\n")
        assert (lines[0], lines[-1][:3]) == ("11\tdef parse_cents(text: str) -> int:", "48\t")
        assert call(env, "edit", path="tally/money.py", old="def share(", new="def shared(") == (
            "tally/money.py was changed"
        )
        assert "shared(" in call(env, "search", pattern="def sh.re", path="tally")
        assert call(env, "edit", path="new/a.py", old="", new="A = 1\n") == "new/a.py was written"
        assert call(env, "view", path="new/a.py") == "1\tA = 1"
        call(env, "bash", command="seq 300 > many")
        assert call(env, "view", path="many").endswith("200\t200\n[... 100 more lines ...]")
        assert call(env, "view", path="many", start=301) == "many has 300 lines"
        assert call(env, "search", pattern="no such thing") == "nothing found"
        told = call(
            env, "bash", command="git init -q; sed -i s/shared/share/ tally/money.py; ls -a"
        )
        assert told == "exit code 0\n.\n..\n.git\nmany\nnew\ntally\ntests"
        assert call(env, "bash", command="python3 -m unittest 2>&1 | tail -1") == "exit code 0\nOK"


def test_what_a_tool_cannot_do_is_told() -> None:
    with begun() as env:
        told = {
            call(env, "view", path="none.py"): "error: none.py: no such file",
            call(env, "view", path="tally"): "error: tally: not a file",
            call(
                env, "edit", path="tally/money.py", old="import", new="x"
            ): "times; it must occur once",
            call(env, "edit", path="tally/money.py", old="", new="x"): "there is such a file",
            call(env, "edit", path="a.py", old="", new="\ud800"): "no text in UTF-8",
            call(env, "search", pattern="("): "Unmatched",
        }
    assert [part for text, part in told.items() if part not in text] == []


def test_equal_work_has_equal_keys_however_long_it_took() -> None:
    test = "python3 -m unittest"
    with begun() as one, begun() as other:
        assert one.reset(options={"task": TALLY})[0] == other.reset(options={"task": TALLY})[0]
        keys = []
        for env in (one, other):
            found = [
                env.step(env.write_call(each))[0] for each in calls(test, "cat tally/money.py")
            ]
            keys.append([each.state for each in found])
        assert keys[0] == keys[1]
        assert len(set(keys[0])) == 2
        call(one, "bash", command="echo '# a' >> tally/money.py")
        same_output = one.step(one.write_call(calls(test)[0]))[0]
        assert same_output.state != keys[0][0]


def calls(*commands: str) -> list[Call]:
    """Commands as calls."""
    return [Call(name="bash", arguments={"command": command}) for command in commands]


def test_what_passes_is_no_part_of_a_key() -> None:
    text = "in 0.01s at 0x7f2 on 2026-01-02 13:14:15.5 (/tmp/ab_c/d.py, pid 77) 12 passed"
    assert normalise_output(text) == "in TIME at 0x0 on DATE TIME (/tmp/FILE, pid) 12 passed"


def test_a_command_a_turn_does_the_same() -> None:
    env = SWECommand()
    assert "<tool" not in env.system_prompt and "```bash" in env.system_prompt
    with begun(env=env):
        told = env.step(
            "<think>```bash\nexit 1\n```</think>Look:\n```bash\ncat tally/__init__.py\n```"
        )
        assert told[0].text.startswith('exit code 0\n"""Bills')
        assert env.step("ls")[0].text == "exit code 0\ntally\ntests"
        assert env.parse("").invalid == "no call"
        turns, outcome = play_expert(env)
    assert (turns, outcome.score) == (3, 1.0)


def test_half_of_a_solution_is_a_fraction() -> None:
    half = replace(
        PROBLEM,
        fail_to_pass=(*PROBLEM.fail_to_pass, "tests.test_shares.LargestRemainder.test_none"),
        pass_to_pass=(*PROBLEM.pass_to_pass, "tests.test_money.Amounts.test_none"),
    )
    with begun(score="fraction") as env:
        env.problem = half
        play_expert(env)
        outcome = env.outcome()
    share = 2 / 3 * len(PROBLEM.pass_to_pass) / len(half.pass_to_pass)
    assert outcome.score == pytest.approx(share)
    assert not outcome.success
    assert outcome.facts["broken"] == {"tests.test_money.Amounts.test_none": "missing"}


def test_a_judge_that_cannot_run_is_an_error_and_no_zero() -> None:
    dead = partial(sandboxes.make, "scripted")
    with pytest.raises(SandboxError, match="neither with the patch nor without it"):
        grade(PROBLEM, (), sandbox=lambda folder, mounts: dead(), timeout_s=5)


@pytest.mark.parametrize("timeout_s", [1e-9, 1e9])
def test_a_patch_is_not_blamed_for_a_machine_on_which_all_tests_are_slow(timeout_s: float) -> None:
    def dead(folder: Path) -> Sandbox:
        return ScriptedSandbox()

    def told(folder: Path) -> Sandbox:
        order = json.loads((folder / ".judge" / "order.json").read_text(encoding="utf-8"))
        report = {"nonce": order["nonce"], "tests": {}, "changed": 0}
        return ScriptedSandbox(files={order["report"]: json.dumps(report).encode()})

    opened = iter([dead, told])
    judged = partial(
        grade, PROBLEM, (), sandbox=lambda folder, mounts: next(opened)(folder), timeout_s=timeout_s
    )
    if timeout_s > 1:
        assert judged().flaw == NO_REPORT
        return
    with pytest.raises(SandboxError, match="nor without it in good time"):
        judged()


def test_a_patch_counts_where_the_package_is() -> None:
    changes = [
        Change(path="conftest.py", kind="file", data=b"x"),
        Change(path="tally/__pycache__/money.cpython-311.pyc", kind="file", data=b"x"),
        Change(path="tally/extra.py", kind="file", data=b"new"),
        Change(path="tally/linked.py", kind="link", data=b"/etc/passwd"),
        Change(path="tally/money.py", kind="deleted"),
        Change(path="tally/settle.py/x.py", kind="file", data=b"x"),
        Change(path="tally/test_mine.py", kind="file", data=b"x"),
        Change(path="tests", kind="deleted"),
        Change(path="tests/test_money.py", kind="file", data=b"x"),
    ]
    found = patched(PROBLEM, changes)
    kept = {path: data for path, data in PROBLEM.files.items() if path != "tally/money.py"}
    assert found == {**kept, "tally/extra.py": b"new"}


def test_an_edit_knows_whether_it_was_made() -> None:
    for old, new in (("a < b", "a <= b"), ("x", "x\ny"), ("x\ny", "x")):
        edit = Edit(path="p", old=old, new=new)
        text = f"begin {old} end"
        assert not edit.made_in(text)
        assert edit.made_in(edit.apply(text))


def test_a_sandbox_that_would_show_the_hidden_tests_is_refused(tmp_path: Path) -> None:
    refuse_to_show(tmp_path / "venv", [tmp_path / "base"])
    with pytest.raises(SandboxError, match="install it in a virtual environment elsewhere"):
        refuse_to_show(tmp_path / "base" / "lib", [Path("/usr"), tmp_path / "base"])


def test_a_package_that_the_sandboxes_python_has_installed_is_refused(tmp_path: Path) -> None:
    installed = tmp_path / "lib" / "python3.11" / "site-packages" / "tally"
    installed.mkdir(parents=True)
    refuse_installed(["src/other/", "other.py"], prefixes=[tmp_path])
    with pytest.raises(SandboxError, match=f"could read the mended package in {installed}"):
        refuse_installed(["src/tally/"], prefixes=[tmp_path])


def test_whatever_a_tool_is_given_is_answered() -> None:
    odd = ("\0", "\ud800", "a" * 200_000, "-rf", "/proc/self/mem")
    with begun() as env:
        for text in odd:
            assert call(env, "bash", command=text)
            assert call(env, "view", path=text)
            assert call(env, "edit", path=text, old="x", new="y")
            assert call(env, "search", pattern=text, path=text[:9])
        assert env.outcome().score == 0.0


def test_settings_are_checked() -> None:
    with pytest.raises(UsageError, match="score must be resolved or fraction, not 'half'"):
        SWE(score="half")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no test that a solution must make pass"):
        read_problem(replace(TALLY, secret={**TALLY.secret, "fail_to_pass": []}))


def test_a_folder_of_the_cache_is_filled_once_while_others_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTGYM_CACHE", str(tmp_path))
    left = tmp_path / "swe" / "trees" / "a.part"
    left.mkdir(parents=True)
    (left / "half").write_text("of a killed process", encoding="utf-8")
    filled = []

    def fill(folder: Path) -> None:
        filled.append(folder)
        time.sleep(0.2)  # long enough for the others to come
        (folder / "file").write_text("whole", encoding="utf-8")

    with ThreadPoolExecutor(4) as threads:
        found = set(threads.map(lambda _: kept("trees/a", fill), range(4)))
    assert (len(filled), len(found)) == (1, 1)
    assert [file.name for file in found.pop().iterdir()] == ["file"]
    with pytest.raises(OSError, match="full"):
        kept("trees/b", run_full)
    assert sorted(each.name for each in left.parent.iterdir()) == ["a", "a.lock", "b.lock"]


def run_full(folder: Path) -> None:
    """Fill a part of a folder, and fail."""
    (folder / "half").touch()
    raise OSError("the disk is full")

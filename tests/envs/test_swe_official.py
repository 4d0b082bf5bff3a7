"""SWE on a user's records: what is read, what is left out, and whom the judge in the image pays."""

from __future__ import annotations

import ast
import asyncio
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from root_trees import add_packages, add_python, make_root
from sandbox_drivers import WAIT_S, why_not
from swe_tasks import call, play_expert

from agentgym.checker import Subject, check_panels
from agentgym.env import find_spec
from agentgym.envs.left_out import OfficialDataWarning
from agentgym.envs.swe.command import SWECommand
from agentgym.envs.swe.env import SWE
from agentgym.envs.swe.judge import CHANGED, NO_REPORT, RUNNERS, Grade
from agentgym.envs.swe.official.judge import as_recorded, grade_in_image, put_changes
from agentgym.envs.swe.official.problem import CONDA, open_image, read_image_problem
from agentgym.envs.swe.official.records import read_record
from agentgym.envs.swe.tasks import ENV_ID
from agentgym.envs.swe.tools import PACKAGES
from agentgym.errors import SandboxError, UsageError
from agentgym.pool import InlinePool
from agentgym.render import ByteTemplate, Renderer
from agentgym.rollout import Agent, Start, play_group
from agentgym.sandbox import Change, Limits, Sandbox
from agentgym.trainers.engines.scripted import ScriptedEngine
from agentgym.types import EpisodeId, Outcome, Status, Task

PROGRAMS = (
    "bash", "sh", "cat", "chmod", "cut", "env", "find", "git", "grep", "head", "ls", "mkdir", "rm",
    "setpriv", "tar", "touch",
)  # fmt: skip
SUMS = """
def total(values):
    return sum(values[1:])

def largest(values):
    return max(values)
"""
MENDED = SUMS.replace("values[1:]", "values")
SPOILED = SUMS.replace("max(", "min(")
GIVEN_TESTS = """
import pytest
from sums import largest, total

def check_none(): assert total([]) == 0
def check_three(): assert total([1, 1, 1]) == 3
@pytest.mark.xfail
def check_largest_of_none(): assert largest([]) == 0
"""
NEW_TESTS = GIVEN_TESTS + "def check_two(): assert total([1, 1]) == 2\n"
CHANGES_PYTEST = """
import _pytest.skipping
_pytest.skipping.pytest_report_teststatus = None
"""
LARGEST_TESTS = """
import pytest
from sums import largest

@pytest.mark.parametrize("text", ["1 2", "3 2 1"])
def check_largest(text): assert largest([int(each) for each in text.split()]) == int(max(text))
"""
CONFIGURED = "[tool:pytest]\npython_functions = check_*\n"
REPOSITORY = {
    "sums/__init__.py": SUMS,
    "tests/test_sums.py": GIVEN_TESTS,
    "sums/checks.py": LARGEST_TESTS,
    "setup.cfg": CONFIGURED,
}
BUILT = {
    "build/lib/sums/__init__.py": MENDED,
    "sums/__pycache__/__init__.pyc": "",
    ".pytest_cache/v": "",
    "sums/build/__init__.py": "",  # no more than a name
}
"""What an image has beside its repository."""
TWO = "tests/test_sums.py::check_two"
SMITH_IMAGE = "agentgym-tests/swesmith.x86_64.acme_1776_sums.01234567"
BENCH_IMAGE = "swebench/sweb.eval.x86_64.acme_1776_sums-1:latest"
GYM_IMAGE = "xingyaoww/sweb.eval.x86_64.dask_s_sums-2:latest"


def git(folder: Path, *words: str) -> str:
    told = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words],
        cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return told.stdout


def write_texts(folder: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def diff_of(folder: Path, **changed: str) -> str:
    """The patch that changes files of a repository: part of their path -> their new content."""
    for part, text in changed.items():
        (path,) = (path for path in REPOSITORY if part in path)
        (folder / path).write_text(text, encoding="utf-8")
    patch = git(folder, "diff")
    git(folder, "checkout", "-q", ".")
    return patch


@dataclass(frozen=True, kw_only=True)
class World:
    """Records of each form, whose images the engine has."""

    tasks: dict[str, Task]
    """Split -> its only one."""
    changing_tests: str
    """The patch of the first one's tests, if these changed pytest."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Records, as files, and one image under the names that they have for it."""
    if (reason := why_not("docker")) is not None:
        pytest.skip(f"docker does not work here: {reason}")
    from docker import APIClient
    from docker.utils import kwargs_from_env

    from agentgym.sandboxes.images import import_root

    root, folder = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("records")
    make_root(root, PROGRAMS)
    packages = add_python(root, CONDA)
    add_packages(packages, PACKAGES)
    (packages / "sums.pth").write_text("/testbed\n", encoding="utf-8")
    repository = root / "testbed"
    write_texts(repository, REPOSITORY)
    git(repository, "init", "-q")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "all")
    mend = diff_of(repository, __init__=MENDED)
    tests = diff_of(repository, test_sums=NEW_TESTS)
    changing = diff_of(repository, test_sums=NEW_TESTS + CHANGES_PYTEST)
    bug = diff_of(repository, __init__=SPOILED)
    (repository / "sums" / "__init__.py").write_text(MENDED, encoding="utf-8")
    git(repository, "commit", "-q", "-a", "-m", "mended")
    undo = git(repository, "diff", "HEAD", "HEAD~1")
    git(repository, "reset", "-q", "--hard", "HEAD~1")  # the reflog has what mends it
    write_texts(repository, BUILT)
    import_root(root, BENCH_IMAGE)
    with closing(APIClient(**kwargs_from_env(), version="auto")) as api:
        api.tag(BENCH_IMAGE, *GYM_IMAGE.split(":"))
        api.tag(BENCH_IMAGE, SMITH_IMAGE)
    write_records(folder, mend=mend, tests=tests, bug=bug, undo=undo)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENTGYM_SWE_DATA", str(folder))
        patch.setenv("AGENTGYM_CACHE", str(tmp_path_factory.mktemp("cache")))
        splits = [split for split in SWE.splits() if split.startswith("official/")]
        tasks = {split: SWE.panel(split).tasks[0] for split in splits}
        yield World(tasks=tasks, changing_tests=changing)


def record(**fields: Any) -> dict[str, Any]:
    """A record of SWE-bench's form."""
    return {
        "instance_id": "acme__sums-1",
        "repo": "acme/sums",
        "base_commit": "0" * 40,
        "patch": "diff --git a/sums/__init__.py b/sums/__init__.py\n",
        "test_patch": "diff --git a/tests/test_sums.py b/tests/test_sums.py\n",
        "problem_statement": "Sums are wrong: see check_two of tests/test_sums.py.",
        "version": "1.0",
        "FAIL_TO_PASS": '["tests/test_sums.py::check_two"]',
        "PASS_TO_PASS": '["tests/test_sums.py::check_none"]',
    } | fields


def write_records(folder: Path, *, mend: str, tests: str, bug: str, undo: str) -> None:
    """A file of each form, and one whose image has the bug already."""
    kept = ["tests/test_sums.py::check_none", "tests/test_sums.py::check_largest_of_none"]
    bench = record(patch=mend, test_patch=tests, PASS_TO_PASS=json.dumps(kept))
    write_parquet(folder / "bench-00000-of-00001.parquet", [bench])
    gym = bench | {"instance_id": "dask__sums-2", "repo": "dask/dask"}
    gym |= {"FAIL_TO_PASS": json.loads(bench["FAIL_TO_PASS"]), "PASS_TO_PASS": kept}
    write_parquet(folder / "gym.parquet", [gym])
    smith = {
        "instance_id": "acme__sums.01234567.func_basic__a1b2c3d4",
        "repo": "swesmith/acme__sums.01234567",
        "image_name": SMITH_IMAGE,
        "problem_statement": "The largest value is wrong.",
        "patch": bug,
        # As in pytest's summary, where a name ends at its first white space.
        "FAIL_TO_PASS": ["sums/checks.py::check_largest[1"],
        "PASS_TO_PASS": kept,
    }
    write_jsonl(folder / "smith.jsonl", [smith])
    failing = ["tests/test_sums.py::check_three"]
    write_jsonl(folder / "spoiled.jsonl", [smith | {"patch": undo, "FAIL_TO_PASS": failing}])


def write_parquet(file: Path, rows: list[dict[str, Any]]) -> None:
    parquet.write_table(pa.Table.from_pylist(rows), file)


def write_jsonl(file: Path, rows: list[Any]) -> None:
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


@contextmanager
def begun(task: Task, make: Callable[..., SWE] = SWE, **config: Any) -> Iterator[SWE]:
    """An environment after its reset."""
    with closing(make(**config)) as env:
        env.reset(options={"task": task})
        yield env


def did(outcome: Outcome) -> Any:
    """What each test did that should be mended."""
    return outcome.facts["fail_to_pass"]


@pytest.mark.parametrize(
    ("form", "make"),
    [("bench", SWE), ("gym", SWECommand), ("smith", SWE)],
    ids=["bench", "gym", "smith"],
)
def test_the_null_agent_gets_nothing_and_the_records_patch_everything(
    world: World, form: str, make: Callable[..., SWE]
) -> None:
    with begun(world.tasks[f"official/{form}"], make) as env:
        null = env.outcome()
        assert (null.score, null.success, null.facts["flaw"]) == (0.0, False, None)
        assert (set(did(null).values()), null.facts["broken"]) == ({"failed"}, {})
        turns, mended = play_expert(env)
    assert (turns, mended.score, mended.success, mended.facts["fraction"]) == (2, 1.0, True, 1.0)
    assert set(did(mended).values()) == {"passed"}
    assert mended.facts["still_passed"] == 2


def test_an_image_may_have_the_bug_already(world: World) -> None:
    with begun(world.tasks["official/spoiled"]) as env:
        assert "values[1:]" in call(env, "view", path="sums/__init__.py")
        assert [each.path for each in env.box.diff(timeout_s=WAIT_S)] == ["tests/test_sums.py"]
        env.step(env.expert_action())
        assert "values[1:]" not in call(env, "view", path="sums/__init__.py")


def test_the_forms_have_the_images_that_are_published_for_them(world: World) -> None:
    named = {split: task.public["image"] for split, task in world.tasks.items()}
    assert named == {
        "official/bench": BENCH_IMAGE,
        "official/gym": GYM_IMAGE,
        "official/smith": SMITH_IMAGE,
        "official/spoiled": SMITH_IMAGE,
    }


def test_the_agent_is_given_the_repository_without_its_history_and_hidden_tests(
    world: World,
) -> None:
    with closing(SWE()) as env:
        first, info = env.reset(options={"task": world.tasks["official/smith"]})
        assert first.text.startswith("The largest value is wrong.\n\nThe workspace /testbed has")
        assert first.text.endswith("setup.cfg\nsums\ntests")
        assert SMITH_IMAGE in info["sandbox"]
        told = call(env, "bash", command="ls -A . tests /tmp; git log")
        assert "\nsetup.cfg\nsums\ntests\n\n/tmp:\n\ntests:\ntest_sums.py\nfatal: not a" in told
        told = call(env, "bash", command="find . -name '*cache*' -o -name build -o -name checks.py")
        assert told == "exit code 0\n./sums/build"
        changed = [each.path for each in env.box.diff(timeout_s=WAIT_S)]
        assert changed == ["sums/__init__.py", "sums/checks.py"]
        told = call(env, "bash", command="python3 -m pytest tests; touch /testbed/x /opt/x")
        assert "1 failed, 1 passed, 1 xfailed" in told
        assert "cannot touch '/opt/x': Read-only file system" in told
        assert "min(values)" in call(env, "view", path="sums/__init__.py")
        assert "check_none" in call(env, "search", pattern="check_", path=".")


def judged(
    world: World, files: Mapping[str, str], *others: Change, form: str = "bench", **changed: Any
) -> Grade:
    """What is paid for files, path -> content, where the problem has some other fields."""
    problem = replace(read_image_problem(world.tasks[f"official/{form}"]), **changed)
    changes = [
        *others,
        *(Change(path=path, kind="file", data=text.encode()) for path, text in files.items()),
    ]
    sandbox = partial(open_image, problem, None, limits=Limits())
    return grade_in_image(problem, changes, sandbox=sandbox, timeout_s=WAIT_S)


def test_a_wrong_patch_is_not_paid_and_what_it_broke_is_told(world: World) -> None:
    found = judged(world, {"sums/__init__.py": MENDED.replace("sum(values)", "sum(values) or 9")})
    assert (found.resolved, found.fraction, found.flaw) == (False, 0.5, None)
    assert found.facts["fail_to_pass"] == {TWO: "passed"}
    assert found.facts["broken"] == {"tests/test_sums.py::check_none": "failed"}


def test_files_may_be_deleted_and_added_but_tests_stay(world: World) -> None:
    gone = (Change(path="tests", kind="deleted"), Change(path="sums", kind="deleted"))
    moved = {"sums/inner/total.py": MENDED, "sums/__init__.py": "from sums.inner.total import *"}
    found = judged(world, moved, *gone)
    assert (found.resolved, found.flaw) == (True, None)


def test_a_link_in_the_place_of_a_file_with_the_bug_leaves_none(world: World) -> None:
    """The image has the file without the bug."""
    place = "sums/__init__.py"
    link = Change(path=place, kind="link", data=b"other.py")
    assert judged(world, {"sums/other.py": SPOILED}, link, form="smith").fraction == 0.0
    assert judged(world, {}, form="smith").resolved


PASSES = "def check_none(): pass\ncheck_two = check_largest_of_none = check_none\n"
ALL_PASS = """
import pytest
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    made = yield
    made.get_result().outcome = "passed"
"""
CHEATS = {
    "tests and what runs before them": {
        "tests/test_sums.py": PASSES, "tests/conftest.py": ALL_PASS,
        "sitecustomize.py": "import os; os._exit(0)",
        "sitecustomize/__init__.py": "import os; os._exit(0)",
    },
    "a plug-in": {
        "easy.py": ALL_PASS, "pytest.ini": "[pytest]\naddopts = -p easy\n",
        "pytest.toml": '[pytest]\naddopts = ["-p", "easy"]\n',
        "easy-1.Dist-Info/entry_points.txt": "[pytest11]\neasy = easy\n",
        "easy-1.Dist-Info/METADATA": "Name: easy\nVersion: 1\n",
    },
    "another configuration": {
        "setup.cfg": f"{CONFIGURED}addopts = -p sums.easy\n", "sums/easy.py": ALL_PASS,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CHEATS)
def test_tests_and_what_runs_them_are_no_part_of_a_solution(world: World, name: str) -> None:
    found = judged(world, CHEATS[name])
    assert (found.resolved, found.fraction, found.flaw) == (False, 0.0, None)
    assert found.facts["fail_to_pass"] == {TWO: "failed"}


SAYS_LATER = f"""{SUMS}
import pytest
def total(values):
    if len(values) == 3:
        pytest.xfail("later")
    pytest.skip("later")
"""


def test_what_is_skipped_or_missing_or_in_error_does_not_pass(world: World) -> None:
    names = tuple(f"tests/test_sums.py::check_{each}" for each in ("two", "three", "four"))
    found = judged(world, {"sums/__init__.py": SAYS_LATER}, fail_to_pass=names)
    assert (found.resolved, found.fraction, found.flaw) == (False, 0.0, None)
    words = ("skipped", "expected failure", "missing")
    assert found.facts["fail_to_pass"] == dict(zip(names, words, strict=True))
    assert found.facts["broken"] == {"tests/test_sums.py::check_none": "skipped"}


def test_a_run_without_a_report_is_the_patchs_fault_where_tests_run_without_it(
    world: World,
) -> None:
    found = judged(world, {"sums/__init__.py": "import os; os._exit(0)"})
    assert (found.fraction, found.flaw) == (0.0, NO_REPORT)


def test_what_changes_the_judge_passes_nothing_unless_the_tests_do_so_themselves(
    world: World,
) -> None:
    task = world.tasks["official/bench"]
    problem = replace(read_image_problem(task), tests=world.changing_tests)
    opened: list[Sandbox] = []

    def sandbox() -> Sandbox:
        opened.append(open_image(problem, None, limits=Limits()))
        return opened[-1]

    def graded(text: str) -> Grade:
        change = Change(path="sums/__init__.py", kind="file", data=text.encode())
        return grade_in_image(problem, [change], sandbox=sandbox, timeout_s=WAIT_S)

    assert graded(MENDED).resolved
    assert len(opened) == 2  # also without the patch, which is remembered
    more = f"{MENDED}import _pytest.runner as r\nr.show_test_item = None\n"
    assert graded(more).flaw == CHANGED
    assert len(opened) == 3


def test_what_does_not_fit_is_our_fault_in_a_record_and_the_agents_in_its_changes(
    world: World,
) -> None:
    problem = read_image_problem(world.tasks["official/bench"])
    with open_image(problem, None, limits=Limits()) as box:
        assert box.read("build/lib/sums/__init__.py", timeout_s=WAIT_S) == MENDED.encode()
        wrong = problem.mend.replace("values", "others")
        with pytest.raises(SandboxError, match="the tests of 'official/bench/acme__sums-1' do not"):
            replace(problem, tests=wrong).add_tests(box)
        with pytest.raises(SandboxError, match="the patch of 'official/bench/acme__sums-1' does"):
            replace(problem, mend=wrong, has_bug=True).begin(box)
        change = Change(path="tests", kind="file", data=b"a file in a folder's place")
        assert not put_changes(problem, box, [change])


def test_an_episode_whose_image_is_nowhere_counts_for_nothing(world: World) -> None:
    task, name = world.tasks["official/bench"], "127.0.0.1:1/none:1"
    missing = replace(task, public={**task.public, "image": name})
    engine = ScriptedEngine(lambda _: "submit", encode=lambda text: tuple(text.encode()))
    agent = Agent(
        engine=engine, renderer=Renderer(ByteTemplate()), context=9999, max_turn_tokens=50
    )
    start = Start(
        id=EpisodeId(step=0, group=0, member=0), task=missing, panel_hash="", env=ENV_ID, seed=0
    )
    (episode,) = asyncio.run(play_group(InlinePool(ENV_ID), agent, start, size=1)).episodes
    assert (episode.status, episode.score) == (Status.INFRA_ERROR, None)
    assert episode.error is not None and episode.error.type == "SandboxError"
    assert f"the engine has no image {name} and cannot pull it" in episode.error.message


def test_a_record_needs_docker(world: World) -> None:
    with pytest.raises(UsageError, match="needs docker, not 'bubblewrap'"):
        with begun(world.tasks["official/bench"], sandbox="bubblewrap"):
            pass


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for a user's files."""
    monkeypatch.setenv("AGENTGYM_SWE_DATA", str(tmp_path))
    return tmp_path


def test_files_and_their_parts_become_panels(folder: Path) -> None:
    rows = [record(instance_id=f"acme__sums-{number}") for number in range(3)]
    for place, row in enumerate(rows[:2]):
        write_parquet(folder / f"lite-0000{place}-of-00002.parquet", [row])
    write_jsonl(folder / "more.jsonl", rows)
    (folder / "README.md").write_text("", encoding="utf-8")
    assert SWE.splits()[-2:] == ("official/lite", "official/more")
    lite, more = SWE.panel("official/lite"), SWE.panel("official/more")
    assert [task.id for task in lite] == [f"official/lite/acme__sums-{n}" for n in range(2)]
    assert (len(more), more.env) == (3, "agentgym/SWE-v0")
    assert lite.hash == SWE.panel("official/lite").hash
    problem = read_image_problem(more.tasks[2])
    assert problem.fail_to_pass == ("tests/test_sums.py::check_two",)
    assert problem.suite.files == ("tests/test_sums.py",)
    write_jsonl(folder / "more.jsonl", rows[:1])
    assert len(SWE.panel("official/more")) == 1


JUDGES = ("pytest-dev/pytest", "swesmith/pytest-dev__iniconfig.16793ead")


def test_a_check_of_the_contract_leaves_records_out_and_says_so(folder: Path) -> None:
    """Their images may have to be pulled, and their tests take minutes."""
    write_jsonl(folder / "bench.jsonl", ["no record"])
    subject = Subject(env_id=ENV_ID, spec=find_spec(ENV_ID), env_class=SWE)
    assert check_panels(subject) == "left out: official/bench"
    assert not any(task.split.startswith("official/") for task in subject.tasks)


def test_a_part_of_a_data_set_that_is_not_there_is_named(folder: Path) -> None:
    for place in (0, 2):
        write_parquet(folder / f"lite-0000{place}-of-00003.parquet", [record()])
    with pytest.raises(UsageError, match="of 'official/lite' there is no lite-00001-of-00003$"):
        SWE.panel("official/lite")


def test_plug_ins_of_pytest_are_read_as_any_other_repository() -> None:
    task = read_record(record(repo="pytest-dev/pytest-mock"), split="official/x", seed=0)
    assert task.public["type"] == "pytest-dev/pytest-mock"


def test_what_is_left_out_is_said_by_file_record_and_field(folder: Path) -> None:
    without_image = record(instance_id="d")
    del without_image["test_patch"]
    good = record()
    rows = [
        good, "no object", good, {"instance_id": "a"}, record(instance_id="b", patch=""),
        record(instance_id="c", FAIL_TO_PASS="[1"), without_image,
        record(instance_id="e", PASS_TO_PASS=["test_a (admin.tests.A)"]),
        record(instance_id="f", FAIL_TO_PASS="[]"), record(instance_id=None),
        record(instance_id="g", PASS_TO_PASS={"a": 1}), record(instance_id="h", image=7),
        record(instance_id="j", test_patch=""), record(instance_id="k", patch="sums.py: add"),
        record(instance_id="l", test_patch="all of it"), record(instance_id="m", repo=JUDGES[0]),
        record(instance_id="n", repo=JUDGES[1]),
    ]  # fmt: skip
    write_jsonl(folder / "bench.jsonl", rows)
    with (folder / "bench.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"instance_id": "i", \n\n')
    with pytest.warns(OfficialDataWarning) as caught:
        panel = SWE.panel("official/bench")
    assert [task.id for task in panel] == ["official/bench/acme__sums-1"]
    said = {str(warning.message).partition("left out ")[2] for warning in caught}
    assert said == {
        "2 records: no JSON object (bench.jsonl line 2, bench.jsonl line 18)",
        "1 records: an instance_id that was there before (bench.jsonl acme__sums-1)",
        "1 records: no text in the field repo (bench.jsonl a)",
        "1 records: no text in the field patch (bench.jsonl b)",
        "1 records: no list of tests in the field FAIL_TO_PASS (bench.jsonl c)",
        "1 records: neither a test_patch nor the name of an image that has the tests "
        "(bench.jsonl d)",
        "1 records: tests that are not pytest's, which are not supported (bench.jsonl e)",
        "1 records: no test in the field FAIL_TO_PASS (bench.jsonl f)",
        "1 records: no text in the field instance_id (bench.jsonl line 10)",
        "1 records: no list of tests in the field PASS_TO_PASS (bench.jsonl g)",
        "1 records: no text in the field image (bench.jsonl h)",
        "1 records: no text in the field test_patch (bench.jsonl j)",
        "2 records: a patch that names no file (bench.jsonl k, bench.jsonl l)",
        "2 records: the repository is a part of pytest, by which tests are run (bench.jsonl m, "
        "bench.jsonl n)",
    }


def test_files_that_cannot_be_read_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "torn.parquet").write_bytes(b"PAR1")
    write_jsonl(folder / "empty.jsonl", [])
    with pytest.raises(UsageError, match="cannot read .*torn.parquet"):
        SWE.panel("official/torn")
    with pytest.raises(UsageError, match="'official/empty' has no records that could be read"):
        SWE.panel("official/empty")
    with pytest.raises(UsageError, match="did you mean 'official/empty'"):
        SWE.panel("official/emtpy")
    monkeypatch.setenv("AGENTGYM_SWE_DATA", str(folder / "none"))
    assert not any(split.startswith("official/") for split in SWE.splits())
    monkeypatch.delenv("AGENTGYM_SWE_DATA")
    with pytest.raises(UsageError, match="set AGENTGYM_SWE_DATA to the folder"):
        SWE.panel("official/torn")


def test_a_record_may_name_its_image_and_folder() -> None:
    row = record(docker_image="mine:1", workdir="/app")
    public = read_record(row, split="official/x", seed=0).public
    assert (public["image"], public["workspace"]) == ("mine:1", "/app")


def test_a_changed_file_counts_unless_it_tests() -> None:
    patch = "diff --git a/acme/testing/tools.py b/acme/testing/tools.py\n"
    row = record(patch=patch, test_patch="diff --git a/data/one.txt b/data/one.txt\n")
    problem = read_image_problem(read_record(row, split="official/x", seed=0))
    counted = ("acme/a.py", "acme/contest.py", "docs/a.rst", "acme/testing/tools.py")
    left_out = (
        "tests/a.py", "acme/test_a.py", "acme/a_test.py", "acme/conftest.py", "data/one.txt",
        "acme/testing/other.py", "tox.ini", ".git/config", "acme/__pycache__/a.pyc", "../a.py",
        "sitecustomize.py", ".judge/run.py", "easy-1.dist-info/RECORD", "src/easy.EGG-INFO/a",
        "easy.egg-link", "acme/easy.pth", "sitecustomize/__init__.py", "usercustomize.abi3.so",
        "pytest.toml", ".pytest.toml",
    )  # fmt: skip
    assert [path for path in (*counted, *left_out) if problem.counts(path)] == list(counted)


@pytest.mark.parametrize("form", ["bench", "smith"])
def test_the_files_of_required_tests_do_not_count_unless_the_records_patch_changes_them(
    form: str,
) -> None:
    """A test may be a doctest of what has to be mended."""
    tests = ["acme/checks.py::check_a", "acme/mended.py::acme.mended", "docs/a.rst::a.rst"]
    row = record(
        patch=record()["patch"].replace("sums/__init__.py", "acme/mended.py"),
        FAIL_TO_PASS=tests[:2], PASS_TO_PASS=tests[2:], image="one:1",
    )  # fmt: skip
    if form == "smith":
        del row["test_patch"]
    problem = read_image_problem(read_record(row, split="official/x", seed=0))
    files = ("acme/mended.py", "acme/checks.py", "docs/a.rst", "docs/b.rst")
    assert [problem.counts(path) for path in files] == [True, False, False, True]


def test_tests_are_known_by_the_names_that_records_have_for_them() -> None:
    row = record(
        FAIL_TO_PASS=["t.py::a[x", "t.py::b[/d.py]", "t.py::c"], PASS_TO_PASS=["t.py::d", "t.py::e"]
    )
    problem = read_image_problem(read_record(row, split="official/x", seed=0))
    did = {
        "t.py::a[x 1]": "passed", "t.py::a[x 2]": "passed", "t.py::b[/home/c/d.py]": "passed",
        "t.py::c": "expected failure", "t.py::d": "expected failure", "t.py::other": "passed",
    }  # fmt: skip
    assert as_recorded(did, problem) == {
        "t.py::a[x": "passed",
        "t.py::b[/d.py]": "passed",
        "t.py::c": "expected failure",
        "t.py::d": "passed",
    }
    assert as_recorded(did | {"t.py::a[x 2]": "skipped"}, problem)["t.py::a[x"] == "skipped"


def test_pytests_runner_can_be_read_by_pythons_that_old_images_have() -> None:
    text = (RUNNERS / "by_pytest.py").read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 6))
    imported = [each for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)]
    assert "__future__" not in {each.module for each in imported}

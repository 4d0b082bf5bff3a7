"""SWE on real repositories: operators, pytest's runner, and tasks that are built the same again."""

from __future__ import annotations

import ast
from functools import partial
from itertools import islice

import pytest
from sandbox_drivers import make
from swe_tasks import TASKS

from agentgym.envs.swe.host import open_sandbox
from agentgym.envs.swe.judge import run_tests
from agentgym.envs.swe.mined import build
from agentgym.envs.swe.mined.operators import OPERATORS, Source, find_mutants
from agentgym.envs.swe.mined.panel import SPLITS, committed, task_hash
from agentgym.envs.swe.mined.sdists import folder_of, get_repository, pristine, repositories
from agentgym.envs.swe.mined.statement import write_statement
from agentgym.envs.swe.problem import Edit, Suite, read_problem
from agentgym.errors import UsageError
from agentgym.sandbox import Limits
from agentgym.types import Task

SMALL = get_repository("parse-1.22.4")

PLACES = {
    "flip_comparison": ("a < b", "a <= b"),
    "off_by_one": ("a[1]", "a[2]"),
    "swap_and_or": ("a and (b)", "a or (b)"),
    "drop_not": ("not a", "a"),
    "swap_arithmetic": ("a + b", "a - b"),
    "swap_arguments": ("f(a, b, c)", "f(b, a, c)"),
    "return_nothing": ("a", None),
    "flip_truth": ("True", "False"),
    "swap_choice": ("a if b else c", "(c) if (b) else (a)"),
}
STATEMENTS = {
    "negate_condition": ("if a:\n        b()", "if not (a):\n        b()"),
    "drop_branch": ("if a > 1:\n        b()", "if False:\n        b()"),
    "drop_raise": ("raise ValueError(a)", "pass"),
    "leave_loop": ("for a in b:\n        break", "for a in b:\n        continue"),
    "drop_statement": ("a += 1", "pass"),
}


def results(name: str, text: str) -> list[str]:
    """What an operator makes of a text."""
    found = [mutant for mutant in find_mutants("p.py", text) if mutant.operator == name]
    return [mutant.edit.apply(text) for mutant in found]


@pytest.mark.parametrize("name", PLACES)
def test_an_operator_changes_an_expression(name: str) -> None:
    before, after = PLACES[name]
    text = "def g(a, b, c):\n    return {}\n"
    wanted = text.format(after)
    assert wanted in results(name, text.format(before))


@pytest.mark.parametrize("name", STATEMENTS)
def test_an_operator_changes_a_statement(name: str) -> None:
    before, after = STATEMENTS[name]
    text = "def g(a, b):\n    {}\n"
    assert results(name, text.format(before)) == [text.format(after)]


def test_a_default_is_changed_and_all_operators_are_known() -> None:
    assert results("change_default", "def g(a=None, *, b=2): pass\n") == [
        "def g(a=0, *, b=2): pass\n",
        "def g(a=None, *, b=3): pass\n",
    ]
    assert OPERATORS.keys() == {*PLACES, *STATEMENTS, "change_default"}
    assert len(OPERATORS) >= 10


def test_every_mutant_of_real_sources_compiles_and_is_undone_to_the_byte() -> None:
    num_mutants = 0
    for task in TASKS:
        problem = read_problem(task)
        for path, data in problem.files.items():
            text = data.decode()
            if path.endswith(".py") and problem.counts(path):
                for mutant in find_mutants(path, text):
                    num_mutants += 1
                    edit = mutant.edit
                    changed = edit.apply(text)
                    ast.parse(changed)
                    assert changed != text
                    assert Edit(path=path, old=edit.new, new=edit.old).apply(changed) == text
    assert num_mutants > 500


def test_annotations_and_module_level_code_stay_as_they_are() -> None:
    text = "A = 1\nclass C:\n    b: int\n\n    def m(self, x: Literal[3]) -> Literal[4]: ...\n"
    assert list(find_mutants("p.py", text)) == []


def test_places_are_told_in_bytes_where_letters_have_several() -> None:
    text = "def g(ä):\n    return 'ü' if ä < 1 else ''  # ö\n"
    assert results("flip_comparison", text) == [text.replace("<", "<=")]
    assert Source(text).of(ast.parse(text).body[0]).startswith("def g(ä)")


def test_a_statement_names_tests_and_documentation_but_no_place() -> None:
    text = 'class A:\n    """What A does."""\n\n    def b(self):\n        return 1\n'
    names = ["tests/t.py::test_a", "tests/t.py::test_b[1]"]
    said = write_statement(SMALL, names, parts=[(text, "A.b")])
    assert said.startswith("parse 1.22.4 has a bug. 2 tests fail: `test_a`, `test_b[1]`.")
    assert said.endswith("What A does.")
    assert "return 1" not in said and "tests/t.py" not in said
    two = write_statement(SMALL, names, parts=[(text, "A.b"), ("def c(): pass", "c")])
    assert two == said.replace("a bug", "2 bugs")


TESTS = b"""
import pytest, lib
def test_good(): assert lib.one() == 1
def test_bad(): assert lib.one() == 2
def test_skips(): pytest.skip("later")
@pytest.mark.xfail
def test_expected(): assert False
@pytest.fixture
def broken(): raise ValueError
def test_error(broken): pass
"""


def judged(lib: str, file: str = "tests/test_lib.py") -> dict[str, object] | None:
    """What pytest's runner says of a small package."""
    make("bubblewrap").close()  # skips where it does not work
    files = {
        "src/lib.py": lib.encode(),
        "tests/test_lib.py": TESTS,
        "pytest.ini": b"[pytest]\naddopts=--x",
    }
    suite = Suite(runner="pytest", files=(file,), roots=("src",))
    sandbox = partial(open_sandbox, "bubblewrap", limits=Limits())
    return run_tests(suite, files, sandbox=sandbox, timeout_s=30)


def test_pytests_runner_has_one_word_for_each_test() -> None:
    found = judged("def one(): return 1\n")
    assert found is not None
    words = {"good": "passed", "bad": "failed", "skips": "skipped", "error": "error"}
    words["expected"] = "expected failure"
    assert found["tests"] == {
        f"tests/test_lib.py::test_{name}": word for name, word in words.items()
    }
    assert found["changed"] == []


def test_a_run_that_could_not_begin_has_no_report_but_one_of_a_broken_file_has() -> None:
    assert judged("def one(): return 1\n", "tests/test_none.py") is None
    found = judged("raise ValueError\n")
    assert found is not None and found["tests"] == {}


@pytest.mark.parametrize(
    "lib",
    [
        "import os; os._exit(0)",
        "import _pytest.runner as r\nr.call_and_report = lambda *_, **__: None\ndef one(): ...",
        "import _pytest.reports as r\nr.TestReport.from_item_and_call = lambda *_: 1/0",
        "import atexit, os; atexit.register(os._exit, 0)",
    ],
)
def test_what_deceives_pytest_passes_nothing_that_failed(lib: str) -> None:
    found = judged(lib)
    tests = {} if found is None or found["changed"] else found["tests"]
    assert isinstance(tests, dict)
    assert tests.get("tests/test_lib.py::test_bad") != "passed"


def test_the_manifest_and_the_panel_fit_together() -> None:
    with pytest.raises(UsageError, match="did you mean 'parse-1.22.4'"):
        get_repository("parse-1.22.5")
    licences = {each.licence for each in repositories().values()}
    assert licences <= {"MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0"}
    for task_id in committed():
        split, repository_id, _ = task_id.rsplit("/", 2)
        assert split in SPLITS
        assert f"real1/{get_repository(repository_id).split}" == split


def fetched() -> None:
    """Skip where the release is not there."""
    if not folder_of(SMALL).is_dir():
        pytest.skip("parse 1.22.4 is not fetched here; `make test` fetches it")


def test_operators_take_turns_and_two_bugs_are_mended_in_any_order() -> None:
    fetched()
    tally = build.Tally()
    tried = []
    for attempt in islice(build.attempts(SMALL, tally), 80):
        tried.append(attempt)
        tally.verdicts[build.ACCEPTED] += 1
    assert len({number for number, _ in tried}) == len(tried)
    single = [mutants[0] for _, mutants in tried if len(mutants) == 1]
    first = {mutant.operator for mutant in single[: len(OPERATORS)]}
    assert len(first) > len(OPERATORS) - 3  # a text may have no place for one
    pairs = [mutants for _, mutants in tried if len(mutants) == 2]
    assert len(pairs) > 10
    for one, other in pairs:
        assert one in single and other in single and one.function != other.function
        text = pristine(SMALL.id)[one.edit.path].decode()
        both = other.edit.apply(one.edit.apply(text))
        for order in ((one, other), (other, one)):
            mended = both
            for each in order:
                mended = Edit(path="", old=each.edit.new, new=each.edit.old).apply(mended)
            assert mended == text


def test_a_file_has_no_more_than_its_share_of_tasks() -> None:
    tally = build.Tally()
    mutant = next(find_mutants("p.py", "def f(a):\n    return a + 1\n"))
    for _ in range(build.PER_FILE):
        assert tally.has_room([mutant])
        secret = {"fail_to_pass": ["t.py::test"]}
        row = {"verdict": build.ACCEPTED, "paths": ["p.py", "p.py"], "functions": ["f", "f"]}
        tally.add({**row, "task": {"secret": secret}})
    assert not tally.has_room([mutant])


@pytest.mark.slow
def test_a_task_of_the_panel_is_built_the_same_again_and_can_be_solved() -> None:
    """Six runs of a real test suite."""
    fetched()
    make("bubblewrap").close()
    sandbox = partial(open_sandbox, "bubblewrap", limits=Limits())
    green = build.find_green(SMALL, sandbox=sandbox)
    assert len(green) == 109
    ids = [each for each in committed() if f"/{SMALL.id}/" in each][:2]
    numbered = dict(build.list_mutants(SMALL))
    for task_id in ids:
        number = int(task_id.rpartition("/")[2])
        row = build.try_mutants(
            SMALL, number, [numbered[number]], green=green, tally=build.Tally(), sandbox=sandbox
        )
        task = Task(**row["task"])
        assert (task.id, task_hash(task)) == (task_id, committed()[task_id])
    assert ids

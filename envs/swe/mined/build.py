"""Builds tasks from a repository: puts bugs in, runs its tests, keeps the bugs that they find."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import Any

from agentgym.cache import cache_folder
from agentgym.envs.swe.judge import PASSED, run_tests
from agentgym.envs.swe.mined.operators import OPERATORS, Mutant, find_mutants
from agentgym.envs.swe.mined.sdists import Repository, fetch, folder_of, pristine
from agentgym.envs.swe.mined.statement import write_statement
from agentgym.envs.swe.problem import NEVER_COUNT, Suite
from agentgym.errors import SandboxError
from agentgym.sandbox import Sandbox
from agentgym.types import Task

CLEAN_RUNS = 3
MOST_FAILING = 20
PER_REPOSITORY = 60
PER_FILE = 12
KEPT_A_PAIR = 3
RUN_S = 60.0
ACCEPTED = "accepted"


@dataclass(kw_only=True)
class Tally:
    """What was tried."""

    verdicts: Counter[str] = field(default_factory=Counter)
    by_file: Counter[str] = field(default_factory=Counter)
    seen: set[tuple[str, ...]] = field(default_factory=set)
    """Functions and failing tests of what was accepted."""

    def add(self, row: Mapping[str, Any]) -> None:
        """One more attempt."""
        self.verdicts[row["verdict"]] += 1
        if row["verdict"] == ACCEPTED:
            self.by_file.update({*row["paths"]})
            self.seen.add((*row["functions"], *row["task"]["secret"]["fail_to_pass"]))

    def has_room(self, mutants: Sequence[Mutant]) -> bool:
        """Whether there are few enough tasks in their files."""
        return all(self.by_file[each.edit.path] < PER_FILE for each in mutants)


def built_file(repository: Repository) -> Path:
    """Where the results lie, a line an attempt."""
    return cache_folder() / "swe" / "built" / f"{repository.id}.jsonl"


def built_rows(repository: Repository) -> Iterator[dict[str, Any]]:
    """What was tried so far; a line that a kill cut short is left out."""
    file = built_file(repository)
    if file.is_file():
        for line in file.read_text(encoding="utf-8").split("\n"):
            if line.endswith("}"):
                yield json.loads(line)


@cache
def list_mutants(repository: Repository) -> tuple[tuple[int, Mutant], ...]:
    """All mutants under their numbers, in the order in which they are tried: operators in turn."""
    files = pristine(repository.id)
    found = [
        mutant
        for path, data in files.items()
        if path.endswith(".py") and is_source(repository, path)
        for mutant in find_mutants(path, data.decode())
    ]
    numbered = list(enumerate(found))
    random.Random(f"swe {repository.id}").shuffle(numbered)
    by_operator: dict[str, list[tuple[int, Mutant]]] = {name: [] for name in OPERATORS}
    for number, mutant in numbered:
        by_operator[mutant.operator].append((number, mutant))
    rounds = zip_longest(*by_operator.values())
    return tuple(each for turn in rounds for each in turn if each is not None)


def attempts(repository: Repository, tally: Tally) -> Iterator[tuple[int, tuple[Mutant, ...]]]:
    """What is tried, under its number: single bugs, and after each third kept the last two at once.

    Each of two that were kept alone fails tests alone, so both must be mended.

    Args:
        tally: what was tried so far, told of each attempt before the next one is asked for.
    """
    numbered = list_mutants(repository)
    kept: list[Mutant] = []
    for number, mutant in numbered:
        if not tally.has_room([mutant]):
            continue
        before = tally.verdicts[ACCEPTED]
        yield number, (mutant,)
        if tally.verdicts[ACCEPTED] == before:
            continue
        kept.append(mutant)
        two = tuple(kept[-2:])
        if len(kept) % KEPT_A_PAIR == 0 and tally.has_room(two) and fit_together(repository, *two):
            yield len(numbered) + number, two


def fit_together(repository: Repository, first: Mutant, second: Mutant) -> bool:
    """Whether two bugs can be put in at once and mended in any order."""
    one, other = first.edit, second.edit
    if one.path != other.path:
        return True
    text = pristine(repository.id)[one.path].decode()
    if first.function == second.function or one.apply(text).count(other.old) != 1:
        return False
    both = other.apply(one.apply(text))
    if other.apply(text).count(one.old) != 1 or one.apply(other.apply(text)) != both:
        return False
    return both.count(one.new) == both.count(other.new) == 1


def is_source(repository: Repository, path: str) -> bool:
    """Whether bugs may be put into a file."""
    if set(PurePosixPath(path).parts) & {*NEVER_COUNT}:
        return False
    return any(
        path == each or each.endswith("/") and path.startswith(each) for each in repository.source
    )


def find_green(repository: Repository, *, sandbox: Callable[..., Sandbox]) -> tuple[str, ...]:
    """The tests that pass in each of three clean runs.

    Raises:
        SandboxError: they do not run here at all.
    """
    suite, files = suite_of(repository), pristine(repository.id)
    green: set[str] | None = None
    for _ in range(CLEAN_RUNS):
        report = run_tests(suite, files, sandbox=sandbox, timeout_s=RUN_S)
        if report is None:
            raise SandboxError(f"the tests of {repository.id} do not run here")
        passed = {name for name, word in report["tests"].items() if word == PASSED}
        green = passed if green is None else green & passed
    return tuple(sorted(green or ()))


def suite_of(repository: Repository) -> Suite:
    """All tests of a repository."""
    return Suite(runner="pytest", files=repository.tests, roots=repository.roots)


def build(
    repository: Repository,
    *,
    tasks: int,
    sandbox: Callable[..., Sandbox],
    say: Callable[[str], None],
) -> Tally:
    """Try mutants until so many tasks are there, or none is left; goes on where it was stopped."""
    if not folder_of(repository).is_dir():
        say(f"{repository.id}: pip fetches it")
    fetch(repository)
    done: dict[int, dict[str, Any]] = {row["number"]: row for row in built_rows(repository)}
    tally = Tally()
    green: tuple[str, ...] = ()
    most = min(tasks, PER_REPOSITORY)
    began, tried = time.monotonic(), 0
    file = built_file(repository)
    file.parent.mkdir(parents=True, exist_ok=True)
    for number, mutants in attempts(repository, tally):
        if number in done:
            row = done[number]
        else:
            green = green or find_green(repository, sandbox=sandbox)
            row = try_mutants(
                repository, number, mutants, green=green, tally=tally, sandbox=sandbox
            )
            with file.open("a", encoding="utf-8") as handle:
                handle.write(json.dumps(row) + "\n")
            tried += 1
        tally.add(row)
        if number not in done:
            rate = 3600 * tried / (time.monotonic() - began)
            say(
                f"{repository.id}: {tally.verdicts.total()} mutants tried, "
                f"{tally.verdicts[ACCEPTED]} of at most {most} accepted, {rate:,.0f} mutants/hour"
            )
        if tally.verdicts[ACCEPTED] >= most:
            break
    return tally


def try_mutants(
    repository: Repository,
    number: int,
    mutants: Sequence[Mutant],
    *,
    green: tuple[str, ...],
    tally: Tally,
    sandbox: Callable[..., Sandbox],
) -> dict[str, Any]:
    """One row: what the tests say of the bugs, and the task if they become one."""
    files = dict(pristine(repository.id))
    for each in mutants:
        files[each.edit.path] = each.edit.apply(files[each.edit.path].decode()).encode()
    report = run_tests(suite_of(repository), files, sandbox=sandbox, timeout_s=RUN_S)
    failing = [name for name in green if report is None or report["tests"].get(name) != PASSED]
    functions = [each.function for each in mutants]
    verdict = ACCEPTED
    if report is None or report["changed"]:
        verdict = "no report"
    elif not failing:
        verdict = "survived"
    elif len(failing) > MOST_FAILING or len(failing) == len(green):
        verdict = "too many fail"
    elif (*functions, *failing) in tally.seen:
        verdict = "another one like it"
    row = {
        "number": number,
        "paths": [each.edit.path for each in mutants],
        "functions": functions,
        "verdict": verdict,
    }
    if verdict == ACCEPTED:
        task = make_task(repository, number, mutants, failing=failing, green=green)
        row["task"] = asdict(task)
    return row


def make_task(
    repository: Repository,
    number: int,
    mutants: Sequence[Mutant],
    *,
    failing: list[str],
    green: tuple[str, ...],
) -> Task:
    """The task of bugs that some tests find."""
    split, files = f"real1/{repository.split}", pristine(repository.id)
    parts = [(files[each.edit.path].decode(), each.function) for each in mutants]
    return Task(
        id=f"{split}/{repository.id}/{number:05d}",
        split=split,
        seed=number,
        public={
            "type": repository.name,
            "repository": repository.id,
            "operator": ", ".join(each.operator for each in mutants),
            "statement": write_statement(repository, failing, parts=parts),
        },
        secret={
            "solution": [
                {each.edit.path: {"old": each.edit.new, "new": each.edit.old}} for each in mutants
            ],
            "hidden": sorted({name.partition("::")[0] for name in failing}),
            "fail_to_pass": failing,
            "pass_to_pass": [name for name in green if name not in failing],
        },
    )

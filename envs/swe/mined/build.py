"""Builds tasks from a repository: puts bugs in, runs its tests, keeps the bugs that they find."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agentgym.cache import cache_folder
from agentgym.envs.swe.judge import PASSED, run_tests
from agentgym.envs.swe.mined.operators import Mutant, find_mutants
from agentgym.envs.swe.mined.sdists import Repository, fetch, pristine
from agentgym.envs.swe.mined.statement import write_statement
from agentgym.envs.swe.problem import Suite
from agentgym.errors import SandboxError
from agentgym.sandbox import Sandbox
from agentgym.types import Task

CLEAN_RUNS = 3
MOST_FAILING = 20
PER_REPOSITORY = 60
PER_FILE = 12
RUN_S = 60.0
ACCEPTED = "accepted"


@dataclass(kw_only=True)
class Tally:
    """What was tried."""

    verdicts: Counter[str] = field(default_factory=Counter)
    by_file: Counter[str] = field(default_factory=Counter)
    seen: set[tuple[str, ...]] = field(default_factory=set)
    """Function and failing tests of what was accepted."""

    def add(self, row: Mapping[str, Any]) -> None:
        """One more mutant."""
        self.verdicts[row["verdict"]] += 1
        if row["verdict"] == ACCEPTED:
            self.by_file[row["path"]] += 1
            self.seen.add((row["function"], *row["task"]["secret"]["fail_to_pass"]))


def built_file(repository: Repository) -> Path:
    """Where the results lie, a line a mutant."""
    return cache_folder() / "swe" / "built" / f"{repository.id}.jsonl"


def built_rows(repository: Repository) -> Iterator[dict[str, Any]]:
    """What was tried so far; a line that a kill cut short is left out."""
    file = built_file(repository)
    if file.is_file():
        for line in file.read_text(encoding="utf-8").split("\n"):
            if line.endswith("}"):
                yield json.loads(line)


def list_mutants(repository: Repository) -> list[tuple[int, Mutant]]:
    """All mutants under their numbers, in the order in which they are tried."""
    files = pristine(repository.id)
    found = [
        mutant
        for path, data in files.items()
        if path.endswith(".py") and is_source(repository, path)
        for mutant in find_mutants(path, data.decode())
    ]
    numbered = list(enumerate(found))
    random.Random(f"swe {repository.id}").shuffle(numbered)
    return numbered


def is_source(repository: Repository, path: str) -> bool:
    """Whether bugs may be put into a file."""
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
    fetch(repository)
    done: dict[int, dict[str, Any]] = {row["number"]: row for row in built_rows(repository)}
    tally = Tally()
    for row in done.values():
        tally.add(row)
    numbered = list_mutants(repository)
    green: tuple[str, ...] = ()
    began, tried = time.monotonic(), 0
    file = built_file(repository)
    file.parent.mkdir(parents=True, exist_ok=True)
    for number, mutant in numbered:
        if tally.verdicts[ACCEPTED] >= min(tasks, PER_REPOSITORY):
            break
        if number in done or tally.by_file[mutant.edit.path] >= PER_FILE:
            continue
        green = green or find_green(repository, sandbox=sandbox)
        row = try_mutant(repository, number, mutant, green=green, tally=tally, sandbox=sandbox)
        tally.add(row)
        with file.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(row) + "\n")
        tried += 1
        rate = 3600 * tried / (time.monotonic() - began)
        say(
            f"{repository.id}: {len(done) + tried} of {len(numbered)} mutants tried, "
            f"{tally.verdicts[ACCEPTED]} accepted, {rate:,.0f} mutants/hour"
        )
    return tally


def try_mutant(
    repository: Repository,
    number: int,
    mutant: Mutant,
    *,
    green: tuple[str, ...],
    tally: Tally,
    sandbox: Callable[..., Sandbox],
) -> dict[str, Any]:
    """One row: what the tests say of a mutant, and the task if it becomes one."""
    edit, files = mutant.edit, pristine(repository.id)
    changed = {**files, edit.path: edit.apply(files[edit.path].decode()).encode()}
    report = run_tests(suite_of(repository), changed, sandbox=sandbox, timeout_s=RUN_S)
    failing = [name for name in green if report is None or report["tests"].get(name) != PASSED]
    verdict = ACCEPTED
    if report is None or report["changed"]:
        verdict = "no report"
    elif not failing:
        verdict = "survived"
    elif len(failing) > MOST_FAILING or len(failing) == len(green):
        verdict = "too many fail"
    elif (mutant.function, *failing) in tally.seen:
        verdict = "another one like it"
    row = {
        "number": number,
        "operator": mutant.operator,
        "path": edit.path,
        "function": mutant.function,
        "verdict": verdict,
    }
    if verdict == ACCEPTED:
        task = make_task(repository, number, mutant, failing=failing, green=green)
        row["task"] = asdict(task)
    return row


def make_task(
    repository: Repository,
    number: int,
    mutant: Mutant,
    *,
    failing: list[str],
    green: tuple[str, ...],
) -> Task:
    """The task of a mutant that some tests find."""
    edit, split = mutant.edit, f"real1/{repository.split}"
    text = pristine(repository.id)[edit.path].decode()
    return Task(
        id=f"{split}/{repository.id}/{number:05d}",
        split=split,
        seed=number,
        public={
            "type": repository.name,
            "repository": repository.id,
            "operator": mutant.operator,
            "statement": write_statement(repository, failing, text=text, function=mutant.function),
        },
        secret={
            "solution": [{edit.path: {"old": edit.new, "new": edit.old}}],
            "hidden": sorted({name.partition("::")[0] for name in failing}),
            "fail_to_pass": failing,
            "pass_to_pass": [name for name in green if name not in failing],
        },
    )

"""What SWE's tasks of real repositories are: `python -m tests.benchmarks.swe [--json] [PART...]`.

`counts` reads the committed panels; `grades` has every one of their tasks graded twice, with the
reverse patch and with none, in an order drawn by chance, and `sample` the first 20. Tasks must be
built: `agentgym swe build`. A stopped run goes on from `swe/graded.jsonl` in the cache; remove it
where the judge has changed. `episodes` has the expert play the first 200 from start to end.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from agentgym.cache import cache_folder
from agentgym.envs.swe.env import SWE
from agentgym.envs.swe.host import open_sandbox
from agentgym.envs.swe.judge import grade
from agentgym.envs.swe.mined.operators import OPERATORS
from agentgym.envs.swe.mined.panel import SPLITS, committed, load_mined, task_hash
from agentgym.envs.swe.mined.sdists import pristine
from agentgym.envs.swe.problem import Problem, read_problem
from agentgym.envs.swe.tasks import ENV_ID
from agentgym.errors import AgentGymError
from agentgym.sandbox import Change, Limits
from agentgym.types import Task

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked
from .sandbox import left, new_since  # noqa: TID252

NUM_SAMPLED, NUM_EPISODES = 20, 200
JUDGE_S = 120.0


def tasks() -> Sequence[Task]:
    """All tasks of the panels."""
    return [task for split in SPLITS for task in load_mined(split, ENV_ID)]


def counts() -> Iterator[Row]:
    """How many there are of what."""
    found = tasks()
    repositories = Counter(str(task.public["repository"]) for task in found)
    operators = Counter(name for task in found for name in str(task.public["operator"]).split(", "))
    several = sum(", " in str(task.public["operator"]) for task in found)
    yield Row(what="tasks", value=len(committed()), unit="", bar=500)
    yield Row(what="repositories", value=len(repositories), unit="", bar=12)
    yield Row(
        what="tasks of one repository, at most",
        value=max(repositories.values()),
        unit="",
        bar=60,
        better="lower",
    )
    fewest = min(OPERATORS, key=lambda name: operators[name])
    yield Row(
        what=f"tasks of an operator, at least ({fewest})", value=operators[fewest], unit="", bar=15
    )
    yield Row(what="tasks of two bugs", value=several, unit="", bar=100)


def grades(found: Sequence[Task]) -> Iterator[Row]:
    """What the reverse patch and no patch are paid."""
    file = cache_folder() / "swe" / "graded.jsonl"
    done = read_grades(file)
    began, num_new = time.monotonic(), 0
    for number, task in enumerate(found, start=1):
        key = task_hash(task)
        if key in done:
            continue
        done[key] = grade_twice(task)
        with file.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps({"hash": key} | done[key]) + "\n")
        num_new += 1
        rate = 3600 * num_new / (time.monotonic() - began)
        print(f"{number} of {len(found)} tasks, {rate:,.0f} tasks/hour", file=sys.stderr)
    kept = [done[task_hash(task)] for task in found]
    for kind, what in (
        ("mended", "mended by the reverse patch"),
        ("unmended", "paid nothing without a patch"),
    ):
        value = sum(each[kind] for each in kept)
        yield Row(what=f"of {len(found)} tasks {what}", value=value, unit="", bar=len(found))


def read_grades(file: Path) -> dict[str, dict[str, bool]]:
    """Earlier grades, by the task's hash; a line that a kill cut short is left out."""
    if not file.is_file():
        return {}
    lines = file.read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line.endswith("}")]
    return {row.pop("hash"): row for row in rows}


def grade_twice(task: Task) -> dict[str, bool]:
    """Whether the reverse patch mends a task, and whether no patch does not."""
    sandbox = partial(open_sandbox, None, limits=Limits())
    problem = read_problem(task)
    mended, unmended = (
        grade(problem, patch, sandbox=sandbox, timeout_s=JUDGE_S)
        for patch in (reverse_patch(problem, str(task.public["repository"])), ())
    )
    if not mended.resolved or unmended.fraction:
        print(task.id, mended.facts, unmended.facts, flush=True)
    return {"mended": mended.resolved, "unmended": unmended.fraction == 0.0}


def reverse_patch(problem: Problem, repository_id: str) -> list[Change]:
    """The files with bugs as they were."""
    paths = sorted({edit.path for edit in problem.solution})
    return [Change(path=path, kind="file", data=pristine(repository_id)[path]) for path in paths]


def episodes(found: Sequence[Task]) -> Iterator[Row]:
    """What the expert needs for whole episodes, which of them it fails, and what they leave."""
    before, began, failed = left(), time.perf_counter(), 0
    with closing(SWE()) as env:
        for number, task in enumerate(found, start=1):
            try:
                solved = play(env, task)
            except AgentGymError as error:
                solved = False
                print(f"{task.id}: {error}", file=sys.stderr)
            failed += not solved
            print(f"{number} of {len(found)} episodes, {failed} failed", file=sys.stderr)
    seconds = time.perf_counter() - began
    what = f"{len(found)} episodes of the expert"
    yield Row(what=what, value=seconds, unit="s")
    yield Row(what=f"{what}, failed", value=failed, unit="", bar=0, better="lower")
    for kind, count in new_since(before).items():
        yield Row(what=f"{what}, {kind} left", value=count, unit="", bar=0, better="lower")


def play(env: SWE, task: Task) -> bool:
    """An episode; whether it succeeded."""
    env.reset(options={"task": task})
    while not env.step(env.expert_action())[2]:
        pass
    return env.outcome().success


def measure(*parts: str) -> Iterator[Row]:
    """The rows of this benchmark."""
    for part in parts or ("counts", "grades"):
        if part == "counts":
            yield from counts()
            continue
        found = random.Random(0).sample(tasks(), len(committed()))
        if part == "episodes":
            yield from episodes(found[:NUM_EPISODES])
        else:
            yield from grades(found[:NUM_SAMPLED] if part == "sample" else found)


if __name__ == "__main__":
    main("swe", measure, parts=("counts", "grades", "sample", "episodes"))

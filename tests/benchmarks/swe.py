"""What SWE's tasks of real repositories are: `python -m tests.benchmarks.swe [--json] [PART...]`.

`counts` reads the committed panels; `grades` has every one of their tasks graded twice, with the
reverse patch and with none. Tasks must be built: `agentgym swe build`. `sample` grades 20 of them.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

from agentgym.envs.swe.host import open_sandbox
from agentgym.envs.swe.judge import grade
from agentgym.envs.swe.mined.operators import OPERATORS
from agentgym.envs.swe.mined.panel import SPLITS, committed, load_mined
from agentgym.envs.swe.mined.sdists import pristine
from agentgym.envs.swe.problem import Problem, read_problem
from agentgym.envs.swe.tasks import ENV_ID
from agentgym.sandbox import Change, Limits
from agentgym.types import Task

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

NUM_SAMPLED = 20
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
    sandbox = partial(open_sandbox, None, limits=Limits())
    mended = unmended = 0
    for task in found:
        problem = read_problem(task)
        results = [
            grade(problem, patch, sandbox=sandbox, timeout_s=JUDGE_S)
            for patch in (reverse_patch(problem, str(task.public["repository"])), ())
        ]
        mended += results[0].resolved
        unmended += results[1].fraction == 0.0
        if not results[0].resolved or results[1].fraction:
            print(task.id, *(result.facts for result in results), flush=True)
    yield Row(
        what=f"of {len(found)} tasks mended by the reverse patch",
        value=mended,
        unit="",
        bar=len(found),
    )
    yield Row(
        what=f"of {len(found)} tasks not mended by no patch",
        value=unmended,
        unit="",
        bar=len(found),
    )


def reverse_patch(problem: Problem, repository_id: str) -> list[Change]:
    """The files with bugs as they were."""
    paths = sorted({edit.path for edit in problem.solution})
    return [Change(path=path, kind="file", data=pristine(repository_id)[path]) for path in paths]


def measure(*parts: str) -> Iterator[Row]:
    """The rows of this benchmark."""
    for part in parts or ("counts", "grades"):
        if part == "counts":
            yield from counts()
        else:
            found = tasks()
            if part == "sample":
                found = random.Random(0).sample(found, min(NUM_SAMPLED, len(found)))
            yield from grades(found)


if __name__ == "__main__":
    main("swe", measure, parts=("counts", "grades", "sample"))

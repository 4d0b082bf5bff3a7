"""The panels gen1/train and gen1/test: small packages of ours, each with a bug.

A package lies in `data/NAME`: right in `repo`, the hidden tests in `hidden` (they go into the
folder `tests`), and in `task.yaml` the bug and what is said of it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from agentgym.envs.swe.problem import Edit
from agentgym.errors import unknown
from agentgym.panel import Panel
from agentgym.types import Task

ENV_ID = "agentgym/SWE-v0"
DATA = Path(__file__).parent / "data"
SPLITS = {
    "gen1/train": ("tally", "recur", "quoted", "routes", "topo", "sums", "folds", "semver"),
    "gen1/test": ("larder", "spans", "layers", "bucket"),
}
"""Split -> names of packages."""


@cache
def load_panel(split: str) -> Panel:
    """A panel of embedded tasks; built once per process.

    Raises:
        UsageError: there is no such split.
    """
    if split not in SPLITS:
        raise unknown("SWE split", split, SPLITS)
    tasks = (make_task(split, name, seed) for seed, name in enumerate(SPLITS[split]))
    return Panel(name=split, env=ENV_ID, tasks=tuple(tasks))


def make_task(split: str, name: str, seed: int) -> Task:
    """The task of one package."""
    about: Any = yaml.safe_load((DATA / name / "task.yaml").read_text(encoding="utf-8"))
    files = read_texts(DATA / name / "repo")
    hidden = {f"tests/{each}": text for each, text in read_texts(DATA / name / "hidden").items()}
    bugs = [Edit(**each) for each in about["bug"]]
    names = sorted(
        name for path, text in (files | hidden).items() for name in test_names(path, text)
    )
    for bug in bugs:
        files[bug.path] = bug.apply(files[bug.path])
    return Task(
        id=f"{split}/{name}",
        split=split,
        seed=seed,
        public={
            "type": about["type"],
            "statement": about["statement"],
            "source": [f"{name}/"],
            "files": files,
        },
        secret={
            "tests": hidden,
            "solution": [{bug.path: {"old": bug.new, "new": bug.old}} for bug in bugs],
            "fail_to_pass": about["fail_to_pass"],
            "pass_to_pass": [each for each in names if each not in about["fail_to_pass"]],
        },
    )


def read_texts(folder: Path) -> dict[str, str]:
    """Path below a folder -> content, of all its files but bytecode."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {
        file.relative_to(folder).as_posix(): file.read_text(encoding="utf-8")
        for file in files
        if file.suffix != ".pyc"
    }


def test_names(path: str, text: str) -> Iterator[str]:
    """The names of unittest's tests in a file, as it gives them."""
    if not path.startswith("tests/"):
        return
    module = path.removesuffix(".py").replace("/", ".")
    for found in ast.parse(text).body:
        if isinstance(found, ast.ClassDef):
            for each in found.body:
                if isinstance(each, ast.FunctionDef) and each.name.startswith("test"):
                    yield f"{module}.{found.name}.{each.name}"

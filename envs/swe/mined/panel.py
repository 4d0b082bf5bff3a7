"""The panels real1/train and real1/test: the tasks of what was built that are committed by hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from agentgym.envs.swe.mined.build import built_file, built_rows
from agentgym.envs.swe.mined.sdists import Repository, repositories
from agentgym.errors import UsageError
from agentgym.panel import Panel
from agentgym.types import Task

COMMITTED = Path(__file__).parent / "panel.json"
SPLITS = ("real1/train", "real1/test")


@cache
def committed() -> Mapping[str, str]:
    """Task id -> hash, of every task of the panels."""
    found: dict[str, str] = json.loads(COMMITTED.read_text(encoding="utf-8"))
    return found


def task_hash(task: Task) -> str:
    """SHA-256 over a task's canonical JSON, secrets included; 16 hex digits."""
    text = json.dumps(asdict(task), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def built_tasks(repository: Repository) -> tuple[Task, ...]:
    """The tasks that were built of a repository, by id."""
    file = built_file(repository)
    return _read_tasks(repository, file.stat().st_mtime_ns) if file.is_file() else ()


@lru_cache(maxsize=64)
def _read_tasks(repository: Repository, _: int) -> tuple[Task, ...]:
    """As `built_tasks`, once for each time at which the file was written."""
    rows: list[Any] = [row["task"] for row in built_rows(repository) if "task" in row]
    return tuple(sorted((Task(**row) for row in rows), key=lambda task: task.id))


def built_hashes(repository: Repository) -> dict[str, str]:
    """Task id -> hash, of what was built: what `panel.json` holds of the tasks of the panels."""
    return {task.id: task_hash(task) for task in built_tasks(repository)}


def find_splits() -> tuple[str, ...]:
    """The splits whose tasks are all built."""
    found = {task.id for each in repositories().values() for task in built_tasks(each)}
    wanted = {split: [each for each in committed() if each.startswith(split)] for split in SPLITS}
    return tuple(split for split, ids in wanted.items() if ids and found.issuperset(ids))


@cache
def load_mined(split: str, env: str) -> Panel:
    """A panel of tasks from real repositories.

    Raises:
        UsageError: one was not built, or is another than the committed one.
    """
    tasks = []
    for repository in repositories().values():
        if f"real1/{repository.split}" != split:
            continue
        built = {task.id: task for task in built_tasks(repository)}
        for task_id, expected in committed().items():
            if not task_id.startswith(f"{split}/{repository.id}/"):
                continue
            if task_id not in built:
                raise UsageError(f"task '{task_id}' is not built; run: agentgym swe build")
            if (actual := task_hash(built[task_id])) != expected:
                raise UsageError(f"task '{task_id}' was built as {actual}, not as {expected}")
            tasks.append(built[task_id])
    return Panel(name=split, env=env, tasks=tuple(tasks))

"""A panel: a frozen, content-hashed list of tasks. Figures are comparable on equal hashes only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property

from agentgym.errors import UsageError, unknown
from agentgym.types import Task


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Tasks of one environment, in a fixed order.

    Panels that we generate are named `gen1/...`, a user's own published files `official/...`.
    """

    name: str
    env: str
    """The Gymnasium id, version included, or `module:Class`."""
    tasks: tuple[Task, ...]

    def __post_init__(self) -> None:
        ids = {task.id for task in self.tasks}
        if len(ids) != len(self.tasks):
            raise UsageError(f"panel '{self.name}': {len(self.tasks)} tasks, {len(ids)} ids")

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the canonical JSON of every task, secrets included; 16 hex digits."""
        digest = hashlib.sha256(f"{self.name}\n{self.env}\n".encode())
        for task in self.tasks:
            line = json.dumps(asdict(task), sort_keys=True, ensure_ascii=True)
            digest.update(line.encode() + b"\n")
        return digest.hexdigest()[:16]

    @cached_property
    def _by_id(self) -> dict[str, Task]:
        return {task.id: task for task in self.tasks}

    def get(self, task_id: str) -> Task:
        """The task of that id.

        Raises:
            UsageError: the panel has none.
        """
        if task_id not in self._by_id:
            raise unknown(f"task of panel '{self.name}'", task_id, self._by_id)
        return self._by_id[task_id]

    def head(self, count: int) -> Panel:
        """The first `count` tasks, under a name that says so."""
        if count >= len(self.tasks):
            return self
        return Panel(name=f"{self.name}[:{count}]", env=self.env, tasks=self.tasks[:count])

    def __len__(self) -> int:
        return len(self.tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(self.tasks)

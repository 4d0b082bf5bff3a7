"""The episodes of a run as rows: one a file, or one an episode that passes a filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentgym.errors import UsageError, span, unknown

if TYPE_CHECKING:
    import duckdb

FILES_SQL = """
SELECT file, count(*) AS episodes, round(avg(success::INT), 3) AS success,
  round(avg(score), 3) AS score, round(avg(num_turns), 1) AS turns,
  count(*) FILTER (status IN ('infra_error', 'score_error')) AS errors
FROM episodes GROUP BY file, step ORDER BY step, file
"""
"""In the order of the run. Means are of the episodes that have the value."""
EPISODES_SQL = """
SELECT file, "group", member, task_id, status, score, num_turns AS turns,
  round(list_aggregate(advantages, 'mean'), 3) AS advantage
FROM episodes WHERE {where} ORDER BY step, file, "group", member
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which episodes to show; None is any."""

    step: int | None = None
    """What a train step played, and the evaluations at it."""
    status: str | None = None
    task: str | None = None

    @property
    def chosen(self) -> dict[str, Any]:
        """Column -> the value asked for."""
        columns = {"step": self.step, "status": self.status, "task_id": self.task}
        return {name: value for name, value in columns.items() if value is not None}


def rows_of(connection: duckdb.DuckDBPyConnection, wanted: Filter) -> duckdb.DuckDBPyConnection:
    """A row per file, or, filtered, a row per episode.

    Raises:
        UsageError: the run has no such step or task.
    """
    if not wanted.chosen:
        return connection.execute(FILES_SQL)
    steps = _values(connection, "step")
    if wanted.step is not None and wanted.step not in steps:
        raise UsageError(f"nothing is stored of step {wanted.step}; stored: {span(steps)}")
    tasks = _values(connection, "task_id")
    if wanted.task is not None and wanted.task not in tasks:
        raise unknown("task of this run", wanted.task, tasks)
    where = " AND ".join(f"{name} = ?" for name in wanted.chosen)
    return connection.execute(EPISODES_SQL.format(where=where), list(wanted.chosen.values()))


def _values(connection: duckdb.DuckDBPyConnection, column: str) -> list[Any]:
    query = f"SELECT DISTINCT {column} FROM episodes ORDER BY 1"
    return [value for (value,) in connection.execute(query).fetchall()]

"""Where a run comes from, as its folder tells it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from agentgym.errors import StoreError
from agentgym.store import Run

TEXTS = (
    ("recipe", "config.yaml", True),
    ("environment", "env.json", False),
    ("report", "report.md", False),
)
"""Title, file, and whether every run has it."""


def told(run: Run) -> Iterator[tuple[str, str]]:
    """Titles and texts: the recipe, what was begun when, and what else there is."""
    for title, name, expected in TEXTS:
        try:
            yield title, (run.folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            if expected:
                yield title, f"there is no {name}"
        except (OSError, ValueError) as error:
            yield title, f"{name} cannot be read: {error}"
    times = "\n".join(_times(run))
    if times:
        yield "begun and ended", times


def _times(run: Run) -> Iterator[str]:
    """A line for each start, the first or to go on, and for the end."""
    try:
        rows: list[Any] = run.metrics()
    except (OSError, StoreError) as error:
        yield f"metrics.jsonl cannot be read: {error}"
        return
    for row in rows:
        phase = row.get("phase") if isinstance(row, dict) else None
        seconds = row.get("unix_seconds") if phase in ("begin", "end") else None
        if isinstance(seconds, int | float) and 0 <= seconds < 1 << 40:
            yield f"{phase}  {datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"

"""Rollouts to weights: engines, rewards, credit, loss, and the train step. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentgym.registry import refuse_run_in_import

if TYPE_CHECKING:
    from agentgym.trainers.config import Recipe
    from agentgym.trainers.run import RunResult

__all__ = ["train"]


def train(
    recipe: str | Recipe,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    control: bool = False,
    **overrides: Any,
) -> RunResult:
    """Run a recipe; see `agentgym.trainers.run.train`, which this imports when called."""
    refuse_run_in_import()
    from agentgym.trainers import run

    return run.train(recipe, out=out, resume=resume, force=force, control=control, **overrides)

"""A run's folder: what a run writes into it, and where one begins or goes on."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentgym import store
from agentgym.errors import UsageError
from agentgym.trainers import config
from agentgym.trainers.config import Recipe

WRITTEN = {
    *("config.yaml", "panel.parquet", "panel.parquet.sha256", "panel-eval.parquet"),
    *("panel-eval.parquet.sha256", "model", "checkpoints", "episodes", "metrics.jsonl"),
    *("report.json", "report.md", "curve.png"),
}
"""All that a run writes into its folder; a folder with anything else in it is never deleted."""
OF_A_STEP = re.compile(r"(?P<kind>step|eval)-(?P<number>\d+)(-.+)?")
"""Episode files, without their ending, that a step or an evaluation before it wrote."""


def find_stored(folder: Path, *, resume: bool, force: bool) -> Recipe | None:
    """The recipe of the run to go on with; None where one begins.

    A run without a checkpoint begins anew: what stopped it may have been its recipe.

    Raises:
        UsageError: the folder is neither free, nor a run to go on with or to replace.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"'{folder}' is a file; a run needs a folder")
    found = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    whole = [name for name in found if not is_torn(name)]
    if not whole:
        return None
    path = folder / "config.yaml"
    strangers = [name for name in whole if name not in WRITTEN]
    if not path.is_file() or strangers:
        what = f"'{strangers[0]}' in it is no part of a run" if strangers else "it holds no run"
        raise UsageError(f"'{folder}' is not empty and {what}; choose another folder")
    if resume:
        if not any((folder / "checkpoints").glob("step-*")):
            return None
        return config.validate(config.read_recipe(str(path)))
    if not force:
        raise UsageError(
            f"'{folder}' already holds a run; --resume goes on with it, --force replaces it"
        )
    return None


def is_torn(name: str) -> bool:
    """Whether the file is one of a run's that a kill left half-written under a temporary name."""
    torn = store.TEMPORARY.fullmatch(name)
    return torn is not None and torn["name"] in WRITTEN


def begin(folder: Path, recipe: Recipe) -> None:
    """Make the run's folder anew, with its recipe."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    store.write_text(folder / "config.yaml", config.dump(recipe))


def note(folder: Path, row: Mapping[str, Any]) -> None:
    """Append a line to `metrics.jsonl`, with the time of day as seconds since 1970."""
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as handle:
        handle.write(json.dumps({**row, "unix_seconds": time.time()}) + "\n")


def forget_after(folder: Path, first: int) -> None:
    """Drop what the steps from `first` on left behind, for they run again; -1 drops everything."""
    run = store.open(folder)
    kept = [
        row
        for row in run.metrics()
        if row.get("step", -1) < first
        and row.get("at", 0) <= first
        and row.get("phase") != "control"
    ]
    store.write_text(folder / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in kept))
    for path in run.files():
        found = OF_A_STEP.fullmatch(path.stem)
        # An evaluation is that of the model before the step of its number.
        if found and int(found["number"]) >= first + (found["kind"] == "eval"):
            path.unlink()
    for path in folder.iterdir():
        if is_torn(path.name):
            path.unlink()

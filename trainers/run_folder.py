"""A run's folder: what a run writes into it, and where one begins, goes on or is given up."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium

from agentgym import store
from agentgym.env import BUILTIN, find_name, find_spec, recall
from agentgym.errors import UsageError
from agentgym.trainers import config
from agentgym.trainers.config import Recipe

WRITTEN = {
    *("config.yaml", "env.json", "panel.parquet", "panel.parquet.sha256", "panel-eval.parquet"),
    *("panel-eval.parquet.sha256", "model", "checkpoints", "episodes", "metrics.jsonl"),
    *("report.json", "report.md", "curve.png"),
}
"""All that a run writes into its folder; a folder with anything else in it is never deleted."""
OF_A_RUN = re.compile(r"(?P<kind>step|eval|control)-(?P<number>\d+)(-.+)?\.parquet(\.sha256)?")
"""Episode files that the run itself wrote, and their digests."""
FOR_PEOPLE = ("title", "note")
"""Keys of a recipe that change nothing of its run."""


def find_stored(folder: Path, *, resume: bool, force: bool) -> Recipe | None:
    """The recipe of the run to go on with; None where one begins.

    A run without a checkpoint begins anew: what stopped it may have been its recipe.

    Raises:
        UsageError: the folder is neither free, nor a run to go on with or to replace.
    """
    if resume and force:
        raise UsageError("--resume goes on with a run and --force deletes it; give one of them")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"'{folder}' is a file; a run needs a folder")
    found = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    whole = [name for name in found if not is_torn(name)]
    if not whole:
        return None
    strangers = [name for name in whole if name not in WRITTEN]
    if not (folder / "config.yaml").is_file() or strangers:
        what = f"'{strangers[0]}' in it is no part of a run" if strangers else "it holds no run"
        raise UsageError(f"'{folder}' is not empty and {what}; choose another folder")
    if resume:
        if not any((folder / "checkpoints").glob("step-*")):
            return None
        return read_recipe(folder)
    if not force:
        raise UsageError(
            f"'{folder}' already holds a run; --resume goes on with it, --force replaces it"
        )
    return None


def read_recipe(folder: Path) -> Recipe:
    """The recipe that a run was made with.

    Raises:
        UsageError: the folder holds no run, or its recipe cannot be read here.
    """
    path = folder / "config.yaml"
    if not path.is_file():
        raise UsageError(f"'{folder}' holds no run: it has no config.yaml")
    return config.validate(config.read_recipe(str(path)))


def go_on(folder: Path, stored: Recipe, wanted: Recipe) -> Recipe:
    """The recipe to go on with, which must be the stored one, but for more train steps.

    Raises:
        UsageError: it is another; the message names every key that differs.
    """
    old, new = (dict(_flat(recipe.model_dump(mode="json"))) for recipe in (stored, wanted))
    changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    if changed == ["train.steps"] and wanted.train.steps > stored.train.steps:
        _check_longer(folder, stored)
        return wanted
    if changed:
        told = "; ".join(
            f"{key} is {old.get(key, 'not set')}, not {new.get(key, 'not set')}" for key in changed
        )
        raise UsageError(
            f"--resume goes on with the recipe in '{folder / 'config.yaml'}', where {told}; give "
            "the same recipe and options, or choose another folder"
        )
    return stored


def _flat(section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a recipe under its whole key."""
    for key, value in section.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        elif prefix or key not in FOR_PEOPLE:
            yield prefix + key, value


def _check_longer(folder: Path, stored: Recipe) -> None:
    """Refuse more train steps where they would not have been those of the longer run."""
    if stored.train.last_lr_share != 1:
        raise UsageError(
            f"train.steps is {stored.train.steps} in '{folder}' and cannot grow: its learning rate "
            "falls towards the last step, so that a run of more steps has other ones from the "
            "first on; begin it in another folder"
        )


def extend(folder: Path, wanted: Recipe) -> None:
    """Let a run go on for more train steps than it was begun with."""
    # In this order: a report beside a longer recipe would pass for the longer run's.
    (folder / "report.json").unlink(missing_ok=True)
    store.write_text(folder / "config.yaml", config.dump(wanted))


def is_torn(name: str) -> bool:
    """Whether the file is one of a run's that a kill left half-written under a temporary name."""
    torn = store.TEMPORARY.fullmatch(name)
    return torn is not None and torn["name"] in WRITTEN


def begin(folder: Path, recipe: Recipe) -> None:
    """Make the run's folder anew, with its recipe and where its environment comes from."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    store.write_text(folder / "config.yaml", config.dump(recipe))
    env_id = recipe.env.id
    if env_id not in BUILTIN and ":" not in env_id:
        spec = find_spec(env_id)
        row = {
            "id": env_id,
            "entry_point": find_name(spec.entry_point),
            "max_turns": spec.max_episode_steps,
        }
        store.write_text(folder / "env.json", json.dumps(row, indent=1) + "\n")


def recall_env(folder: Path) -> None:
    """Register the environment of a run, where the program that began it had done so.

    Raises:
        UsageError: its class cannot be imported here; the message says what to do.
    """
    path = folder / "env.json"
    if not path.is_file():
        return
    row = json.loads(path.read_text(encoding="utf-8"))
    if row["entry_point"] is None and row["id"] not in gymnasium.registry:
        raise UsageError(
            f"environment '{row['id']}' was defined where no other program can import it; put its "
            f"class into a module and write 'module:Class' as the entry_point in '{path}'"
        )
    recall(row["id"], row["entry_point"], max_turns=row["max_turns"])


@contextmanager
def given_up(folder: Path, recipe: Recipe) -> Iterator[None]:
    """Leave no folder of a run that fails before it has an episode or a warm start to keep."""
    try:
        yield
    except Exception:  # whatever it was; what the user stops is no failure
        kept = list(folder.glob("episodes/*.parquet"))
        if recipe.warm_start is not None:
            kept += folder.glob("checkpoints/step-*")
        if not kept:
            shutil.rmtree(folder)
        raise


def note(folder: Path, row: Mapping[str, Any]) -> None:
    """Append a line to `metrics.jsonl`, with the time of day as seconds since 1970."""
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as handle:
        handle.write(json.dumps({**row, "unix_seconds": time.time()}) + "\n")


def forget_after(folder: Path, first: int) -> None:
    """Drop what the steps from `first` on left behind, for they run again; -1 drops everything."""
    kept = [
        row
        for row in store.open(folder).metrics()
        if row.get("step", -1) < first
        and row.get("at", 0) <= first
        and row.get("phase") != "control"
    ]
    store.write_text(folder / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in kept))
    # In order: a digest goes after its file, which would look damaged without it.
    for path in sorted((folder / "episodes").glob("*")):
        if _is_forgotten(path.name, first):
            path.unlink()
    for path in folder.iterdir():
        if is_torn(path.name):
            path.unlink()


def _is_forgotten(name: str, first: int) -> bool:
    """Whether the run wrote the episode file from step `first` on, or a kill left it half-written.

    What `agentgym eval` has half-written stays: it may be at work.
    """
    torn = store.TEMPORARY.fullmatch(name)
    found = OF_A_RUN.fullmatch(torn["name"] if torn else name)
    if found is None:
        return False
    # An evaluation is that of the model before the step of its number; the control comes last.
    late = int(found["number"]) >= first + (found["kind"] == "eval")
    return late or found["kind"] == "control" or torn is not None

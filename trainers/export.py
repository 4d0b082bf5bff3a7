"""A run's newest model as an ordinary model folder."""

from __future__ import annotations

from pathlib import Path

import transformers

from agentgym import store
from agentgym.errors import StoreError, UsageError, boundary
from agentgym.store import Run
from agentgym.trainers import checkpoint, lora, run_folder
from agentgym.trainers.build import load_policy


def export(run: Run, out: Path) -> int:
    """Write the newest sound checkpoint's model, its adapter merged in; the step that it is of.

    Raises:
        UsageError: the folder holds no run, or there is something at `out` already.
        StoreError: no sound checkpoint is there, or the model cannot be written.
    """
    recipe = run_folder.read_recipe(run.folder)
    if out.exists():
        raise UsageError(f"'{out}' exists already; choose another folder for the model")
    found = checkpoint.require_latest(run.folder)
    transformers.utils.logging.disable_progress_bar()
    on_cpu = recipe.model.model_copy(update={"device": "cpu"})
    policy = load_policy(recipe.model_copy(update={"model": on_cpu}), str(found))
    if recipe.lora is not None:
        lora.merge(policy.model)
    with boundary(StoreError, f"cannot write '{out}'"):
        store.write_folder(out, policy.save)
    return checkpoint.step_of(found)

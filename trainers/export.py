"""A run's newest model as an ordinary model folder."""

from __future__ import annotations

import sys
from pathlib import Path

import transformers

from agentgym.errors import StoreError, UsageError
from agentgym.store import Run
from agentgym.trainers import checkpoint, config, lora
from agentgym.trainers.build import load_policy


def export(run: Run, out: Path) -> int:
    """Write the newest sound checkpoint's model, its adapter merged in; the step that it is of.

    Raises:
        UsageError: the folder holds no run, or there is something at `out` already.
        StoreError: no sound checkpoint is there.
    """
    path = run.folder / "config.yaml"
    if not path.is_file():
        raise UsageError(f"'{run.folder}' holds no run: it has no config.yaml")
    if out.exists():
        raise UsageError(f"'{out}' exists already; choose another folder for the model")
    recipe = config.validate(config.read_recipe(str(path)))
    found, complaints = checkpoint.find_latest(run.folder)
    for complaint in complaints:
        print(f"skipped a damaged checkpoint: {complaint}", file=sys.stderr)
    if found is None:
        raise StoreError(f"'{run.folder}' has no sound checkpoint to export")
    transformers.utils.logging.disable_progress_bar()
    on_cpu = recipe.model.model_copy(update={"device": "cpu"})
    policy = load_policy(recipe.model_copy(update={"model": on_cpu}), str(found))
    if recipe.lora is not None:
        lora.merge(policy.model)
    policy.save(out)
    return checkpoint.check(found)

"""The control of a learning claim: imitation going on for as long as RL took."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path

from agentgym import store
from agentgym.trainers import lost, run_folder
from agentgym.trainers.build import Panels, load_policy, make_agent
from agentgym.trainers.evaluate import evaluate, figures, gain
from agentgym.trainers.imitate import imitate
from agentgym.trainers.kv_pool import size_pool
from agentgym.trainers.progress import say
from agentgym.trainers.report import seconds
from agentgym.trainers.step import PHASES, Trainer
from agentgym.trainers.stop import Stop


def run_control(trainer: Trainer, panels: Panels, folder: Path, *, stop: Stop) -> None:
    """Imitate fresh demonstrations from the warm start on, and evaluate like the run itself.

    The number of updates is what the warm start's own speed fits into the seconds that the train
    steps took. The learning rate begins at its peak and falls again.

    Raises:
        Stopped: in every process, when the user asked to stop while it imitated.
    """
    recipe, world = trainer.recipe, trainer.world
    assert recipe.warm_start is not None, "there is no warm start to go on from"
    began = time.monotonic()
    world.wait()  # the leading process has written the last step's metrics
    spent = seconds(store.open(folder).metrics())
    budget = sum(spent.get(name, 0.0) for name in PHASES)
    updates = max(1, round(recipe.warm_start.updates * budget / spent["warm_start"]))
    config = recipe.warm_start.model_copy(update={"updates": updates})
    policy = load_policy(recipe, str(folder / "checkpoints" / "step-000000"))
    longer = recipe.model_copy(update={"warm_start": config})
    record = imitate(world, longer, panels, policy=policy, title="control", stop=stop)
    if world.leads:
        say(f"control: {record.summary()}")
    kv_tokens = size_pool(recipe, policy, num_evaluated=len(panels.eval), control=True)
    agent, _ = make_agent(recipe, policy, kv_tokens=kv_tokens)
    step, samples = recipe.train.steps, recipe.eval.samples
    agent = replace(agent, policy_version=step)
    with stop.after("the control's evaluation"):
        groups = evaluate(
            trainer.pool, agent, panels.eval, seed=recipe.seed, size=samples, world=world
        )
    if not world.leads:
        return
    path = folder / "episodes" / f"control-{step:06d}-sampled.parquet"
    lost.store_groups(groups, path, what="the control's evaluation")
    control = figures(groups, panels.eval)
    learned = figures(store.open(folder).groups(f"eval-{step:06d}-sampled"), panels.eval)
    difference, ci95 = gain(control, learned)
    row = {
        "phase": "control",
        **asdict(record),
        **control.summary(),
        "seconds": budget,
        "gain": difference,
        "gain_ci95": ci95,
    }
    run_folder.note(folder, row)
    run_folder.note(folder, {"phase": "seconds", "control": time.monotonic() - began})

"""Judging a run's newest model on a panel of the user's choice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import chain
from typing import Any

import transformers

from agentgym import store
from agentgym.env import get_panel
from agentgym.store import Run
from agentgym.trainers import checkpoint, evaluate, lost, run_folder
from agentgym.trainers.build import load_policy, make_agent, make_pool
from agentgym.trainers.evaluate import figures
from agentgym.trainers.kv_pool import size_pool
from agentgym.trainers.world import World


def judge(
    run: Run, *, split: str | None, tasks: int | None, samples: int, greedy: bool
) -> dict[str, Any]:
    """Play a panel with the newest sound checkpoint of a run, and keep the episodes in the run.

    The noise is that of the run's own evaluations: the same panel gives the same episodes.

    Args:
        split: None is the split that the run was judged on.
        tasks: only the first so many; None is all of them.

    Returns:
        The figures, with `panel`, `step` (the train steps behind the model), `file`, and what
        the lost episodes met in `errors`.

    Raises:
        UsageError: the folder holds no run, or the environment has no such split.
        StoreError: no sound checkpoint is there.
    """
    recipe = run_folder.read_recipe(run.folder)
    run_folder.recall_env(run.folder)
    found = checkpoint.require_latest(run.folder)
    split = split or recipe.env.eval
    panel = get_panel(recipe.env.id, split)
    if tasks is not None:
        panel = panel.head(tasks)
    transformers.utils.logging.disable_progress_bar()
    step = checkpoint.step_of(found)
    policy = load_policy(recipe, str(found), frozen=True)
    kv_tokens = size_pool(recipe, policy, num_evaluated=len(panel))
    agent, _ = make_agent(recipe, policy, kv_tokens=kv_tokens)
    agent = replace(agent, policy_version=step)
    if greedy:
        agent = evaluate.greedy(agent)
    pool = make_pool(recipe)
    alone = World(rank=0, size=1)
    try:
        groups = evaluate.evaluate(pool, agent, panel, seed=recipe.seed, size=samples, world=alone)
    finally:
        asyncio.run(pool.close())
    kind = "greedy" if greedy else f"sampled-{samples}"
    name = f"judge-{step:06d}-{split.replace('/', '-')}-{len(panel)}-{kind}"
    store.write_episodes(
        run.folder / "episodes" / f"{name}.parquet",
        chain.from_iterable(group.episodes for group in groups),
    )
    result = figures(groups, panel).summary()
    result["panel"] = {"name": panel.name, "hash": panel.hash, "tasks": len(panel)}
    faults = lost.find_faults(groups, name)
    result["errors"] = [fault.tell(run.folder) for fault in faults]
    return result | {"step": step, "file": name}

"""Runs that take seconds: Corridor, a tiny model that has seen it, a few episodes a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from agentgym import registry
from agentgym.pool import Pool
from agentgym.trainers.build import Panels, load_policy, make_agent, make_pool, make_rewards
from agentgym.trainers.config import Recipe, merge, validate
from agentgym.trainers.imitate import build_model, imitate
from agentgym.trainers.policy import Policy
from agentgym.trainers.step import Trainer
from agentgym.trainers.world import World

CORRIDOR: dict[str, Any] = {
    "title": "a small run",
    "env": {"id": "agentgym/Corridor-v0", "max_turns": 12},
    "model": {"path": "tiny", "hidden": 32, "layers": 2, "context": 512},
    "warm_start": None,
    "train": {
        "steps": 4,
        "tasks_per_step": 4,
        "group_size": 4,
        "lr": 1e-3,
        "max_turn_tokens": 8,
        "checkpoint_every": 2,
    },
    "credit": {"name": "salt"},
    "eval": {"tasks": 4, "samples": 1},
}
ALONE = World(rank=0, size=1)


def small_recipe(model: Path | str, **overrides: Any) -> Recipe:
    """A recipe that plays with this model."""
    data = merge(CORRIDOR, {"model": {"path": str(model)}})
    return validate(merge(data, overrides))


def warm_model(folder: Path) -> Path:
    """A tiny model that has imitated Corridor's expert, and wins now and then."""
    warm_start = {
        "demonstrations": 300,
        "mistakes": 0.3,
        "updates": 160,
        "episodes_per_update": 8,
        "lr": 1e-2,
    }
    recipe = small_recipe("tiny", warm_start=warm_start)
    panels = Panels.load(recipe)
    build_model(recipe, panels.train, folder / "cold")
    policy = Policy.load(folder / "cold", device="cpu")
    imitate(ALONE, recipe, panels, policy=policy)
    policy.save(folder / "warm")
    return folder / "warm"


def small_trainer(
    recipe: Recipe,
    *,
    pool: Pool | None = None,
    reference: Policy | None = None,
    wrap: Callable[[Any], Any] | None = None,
) -> Trainer:
    """What a train step uses, in this process.

    Args:
        wrap: what to put around the engine.
    """
    policy = load_policy(recipe, recipe.model.path)
    agent, engine = make_agent(recipe, policy)
    if wrap is not None:
        agent = replace(agent, engine=wrap(engine))
    return Trainer(
        recipe=recipe,
        world=ALONE,
        policy=policy,
        reference=reference,
        optimizer=torch.optim.SGD(
            [p for p in policy.model.parameters() if p.requires_grad], lr=recipe.train.lr
        ),
        agent=agent,
        pool=pool or make_pool(recipe),
        panel=Panels.load(recipe).train,
        rewards=make_rewards(recipe),
        credit=registry.credits.make(recipe.credit.name, **recipe.credit.args),
        loss=registry.losses.make(recipe.loss.name, **recipe.loss.args),
        curriculum=registry.curricula.make(recipe.curriculum.name),
        refresh_engine=engine.reset,
    )

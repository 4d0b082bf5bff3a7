"""A recipe's parts: what its names stand for, made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from agentgym import registry
from agentgym.env import env_class
from agentgym.errors import UsageError
from agentgym.panel import Panel
from agentgym.pool import InlinePool, Pool, ProcessPool
from agentgym.render import ChatTemplate, Renderer
from agentgym.rollout import Agent
from agentgym.trainers import config
from agentgym.trainers.config import Recipe
from agentgym.trainers.engines.local import LocalEngine
from agentgym.trainers.policy import Policy
from agentgym.trainers.rewards.combine import check_channels


def check_recipe(recipe: Recipe) -> None:
    """Fail early on everything that can be known before anything runs.

    Raises:
        UsageError: an unknown environment, split, scheme, channel or key.
    """
    found = env_class(recipe.env.id)
    for split in (recipe.env.train, recipe.env.eval):
        if split not in found.splits():
            known = ", ".join(found.splits())
            raise UsageError(f"environment '{recipe.env.id}' has no split '{split}': {known}")
    check_channels(config.channels(recipe), make_plugin("credits", recipe.credit))
    make_plugin("losses", recipe.loss)
    make_plugin("curricula", recipe.curriculum)
    if recipe.train.tasks_per_step % recipe.processes:
        raise UsageError(
            f"train.tasks_per_step is {recipe.train.tasks_per_step}, which {recipe.processes} "
            "processes cannot share evenly"
        )


def make_plugin(kind: str, plugin: config.PluginConfig) -> Any:
    """The plug-in that a recipe names.

    Raises:
        UsageError: it is unknown, or refuses its configuration.
    """
    known: registry.Registry = getattr(registry, kind)
    return known.make(plugin.name, **plugin.args)


@dataclass(frozen=True, kw_only=True)
class Panels:
    """What a run trains on and what it is judged on."""

    train: Panel
    eval: Panel

    @staticmethod
    def load(recipe: Recipe) -> Panels:
        """The panels that a recipe names."""
        found = env_class(recipe.env.id)
        judged = found.panel(recipe.env.eval)
        if recipe.eval.tasks is not None:
            judged = judged.head(recipe.eval.tasks)
        return Panels(train=found.panel(recipe.env.train), eval=judged)


def load_policy(recipe: Recipe, path: str) -> Policy:
    """A model folder or hub name as the recipe wants it."""
    dtype = getattr(torch, recipe.model.dtype)
    return Policy.load(path, device=recipe.model.device, dtype=dtype)


def make_pool(recipe: Recipe) -> Pool:
    """Where the recipe's environments live."""
    env = recipe.env
    if env.pool == "inline":
        return InlinePool(env.id, max_turns=env.max_turns)
    return ProcessPool(env.id, num_workers=env.num_workers, max_turns=env.max_turns)


def make_agent(recipe: Recipe, policy: Policy) -> tuple[Agent, LocalEngine]:
    """The policy as something that plays, and its engine."""
    history = None if recipe.render.history == "all" else int(recipe.render.history)
    renderer = Renderer(
        ChatTemplate(policy.tokenizer), history=history, show_choices=recipe.render.show_choices
    )
    engine = LocalEngine(policy, context=recipe.model.context)
    agent = Agent(
        engine=engine,
        renderer=renderer,
        context=recipe.model.context,
        max_turn_tokens=recipe.train.max_turn_tokens,
    )
    return agent, engine

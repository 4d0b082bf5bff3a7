"""A recipe's parts: what its names stand for, made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from agentgym import registry
from agentgym.env import get_panel
from agentgym.errors import UsageError
from agentgym.meter import Meter
from agentgym.panel import Panel
from agentgym.pool import InlinePool, Pool, ProcessPool
from agentgym.render import ChatTemplate, Renderer
from agentgym.rollout import Agent
from agentgym.trainers import eight_bit, lora
from agentgym.trainers.config import Recipe
from agentgym.trainers.critic import Critic
from agentgym.trainers.engines.local import LocalEngine
from agentgym.trainers.engines.naive import NaiveEngine
from agentgym.trainers.policy import Policy
from agentgym.trainers.recompute import recompute
from agentgym.trainers.rewards import Reward

LARGE_MODEL = 500_000_000
"""Above so many parameters `train.recompute: auto` is on."""


def choose_device(recipe: Recipe) -> str:
    """The recipe's device; "auto" is the GPU where there is one.

    Raises:
        UsageError: it is a GPU that is not there, or one GPU for several processes.
    """
    device = recipe.model.device
    num_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        return "cuda" if num_gpus else "cpu"
    kind, _, index = device.partition(":")
    if kind == "cuda" and int(index or 0) >= num_gpus:
        raise UsageError(f"'model.device' is {device}, but PyTorch sees {num_gpus} GPUs here")
    if index and recipe.processes > 1:
        raise UsageError(
            f"'model.device' is {device}, but each of {recipe.processes} processes takes a GPU of "
            "its own; set --model.device cuda"
        )
    return device


@dataclass(frozen=True, kw_only=True)
class Panels:
    """What a run trains on and what it is judged on."""

    train: Panel
    eval: Panel

    @staticmethod
    def load(recipe: Recipe) -> Panels:
        """The panels that a recipe names."""
        judged = get_panel(recipe.env.id, recipe.env.eval)
        if recipe.eval.tasks is not None:
            judged = judged.head(recipe.eval.tasks)
        return Panels(train=get_panel(recipe.env.id, recipe.env.train), eval=judged)


def load_policy(recipe: Recipe, path: str, *, frozen: bool = False) -> Policy:
    """A model folder, hub name, or a checkpoint's adapter, as the recipe wants it.

    Args:
        frozen: it is never trained.

    Raises:
        UsageError: it cannot be loaded, cannot be a policy, or is made for less context.
    """
    dtype = getattr(torch, recipe.model.dtype)
    adapter = Path(path) if lora.is_adapter(Path(path)) else None
    path = path if adapter is None else _below(adapter, recipe)
    policy = Policy.load(path, device=choose_device(recipe), dtype=dtype)
    if recipe.model.context > policy.context:
        raise UsageError(
            f"model.context is {recipe.model.context}, but '{path}' is made for sequences of at "
            f"most {policy.context} tokens"
        )
    if recipe.lora is not None:
        add_adapter(recipe, policy)
    if adapter is not None:
        lora.restore(policy.model, adapter)
    if frozen:
        policy.freeze()
    else:
        recompute(policy.model, layers=recomputes(recipe, policy.model.num_parameters()))
    return policy


def _below(adapter: Path, recipe: Recipe) -> str:
    """The model that a checkpoint's adapter belongs to: the run's own, if it has made one."""
    own = adapter.parents[1] / "model"
    return str(own) if own.is_dir() else recipe.model.path


def add_adapter(recipe: Recipe, policy: Policy) -> None:
    """Freeze the policy and give it the adapter that the recipe trains in its place."""
    assert recipe.lora is not None, "the recipe trains every weight"
    lora.add(policy.model, recipe.lora, seed=recipe.seed, dtype=policy.dtype)


def merge_adapter(recipe: Recipe, policy: Policy, folder: Path, *, saved: bool) -> None:
    """Make the policy's adapter part of its weights, and begin a new one.

    Args:
        folder: where the model without the new adapter is.
        saved: save it there; one process does.
    """
    lora.merge(policy.model)
    policy.model.name_or_path = str(folder)
    if saved:
        policy.save(folder)
    add_adapter(recipe, policy)


def recomputes(recipe: Recipe, num_parameters: int) -> bool:
    """Whether training computes the layers twice rather than keeping their activations."""
    chosen = recipe.train.recompute
    return num_parameters > LARGE_MODEL if chosen == "auto" else chosen


def make_pool(recipe: Recipe) -> Pool:
    """Where the recipe's environments live."""
    env = recipe.env
    if env.pool == "inline":
        return InlinePool(env.id, max_turns=env.max_turns, args=env.args)
    return ProcessPool(
        env.id,
        num_workers=env.num_workers,
        deadlines=env.deadlines,
        max_turns=env.max_turns,
        args=env.args,
    )


def make_renderer(recipe: Recipe, policy: Policy) -> Renderer:
    """How the policy reads observations, while it plays and while it imitates.

    Raises:
        UsageError: it reads pictures, but the recipe shows some of the last turns only.
    """
    history = recipe.render.history
    if policy.vision is not None and history != "all":
        raise UsageError(
            f"render.history is {history}, but a model that reads pictures plays with all of them; "
            "set render.history to all"
        )
    return Renderer(
        ChatTemplate(policy.tokenizer),
        history=None if history == "all" else history,
        show_choices=recipe.render.show_choices,
        pictures=policy.vision,
    )


def make_rewards(recipe: Recipe) -> dict[str, Reward]:
    """The recipe's reward channels by name."""
    return {
        name: registry.rewards.make(name, **channel.args)
        for name, channel in recipe.rewards.items()
    }


def reads_values(recipe: Recipe) -> bool:
    """Whether the recipe's credit scheme reads a critic's values."""
    return "values" in registry.credits.get(recipe.credit.name).reads


def keeps_reference(recipe: Recipe) -> bool:
    """Whether the loss or a reward channel asks the policy that the run began with."""
    channels = make_rewards(recipe).values()
    return recipe.train.kl > 0 or any(getattr(c, "asks_reference", False) for c in channels)


def make_critic(recipe: Recipe, policy: Policy) -> Critic | None:
    """An untrained critic, if the recipe's credit scheme reads one's values."""
    if not reads_values(recipe):
        return None
    return Critic.of(policy, seed=recipe.seed, clip=recipe.critic.clip)


def make_optimizer(recipe: Recipe, policy: Policy, critic: Critic | None) -> torch.optim.Optimizer:
    """AdamW over the policy and, with a learning rate of its own, the critic."""
    train = recipe.train
    trained = [p for p in policy.model.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [{"params": trained, "peak_lr": train.lr}]
    if critic is not None:
        groups.append({"params": list(critic.parameters()), "peak_lr": recipe.critic.lr})
    settings: dict[str, Any] = {
        "lr": train.lr,
        "betas": train.betas,
        "weight_decay": train.weight_decay,
    }
    if train.optimizer == "adamw8bit":
        return eight_bit.make(groups, **settings)
    return torch.optim.AdamW(groups, **settings, fused=True)


def make_agent(
    recipe: Recipe, policy: Policy, *, kv_tokens: int | None = None, meter: Meter | None = None
) -> tuple[Agent, LocalEngine | NaiveEngine]:
    """The policy as something that plays, and its engine.

    Args:
        kv_tokens: see `kv_pool.size_pool`.
    """
    meter = meter or Meter()
    engine: LocalEngine | NaiveEngine
    if policy.vision is not None:
        engine = NaiveEngine(policy, context=recipe.model.context, meter=meter)
    else:
        engine = LocalEngine(
            policy,
            context=recipe.model.context,
            max_episodes=recipe.model.live_episodes,
            kv_tokens=kv_tokens,
            meter=meter,
        )
    agent = Agent(
        engine=engine,
        renderer=make_renderer(recipe, policy),
        context=recipe.model.context,
        max_turn_tokens=recipe.train.max_turn_tokens,
        max_seconds=recipe.env.max_seconds,
        sampler=recipe.sampler,
        meter=meter,
    )
    return agent, engine

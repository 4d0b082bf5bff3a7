"""A recipe's parts: what its names stand for, made."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from agentgym import registry
from agentgym.env import env_class, get_panel
from agentgym.errors import EnvError, UsageError
from agentgym.meter import Meter
from agentgym.panel import Panel
from agentgym.pool import InlinePool, Pool, ProcessPool
from agentgym.render import ChatTemplate, Renderer
from agentgym.rollout import Agent
from agentgym.trainers import config, eight_bit, lora
from agentgym.trainers.config import Recipe, make_plugin
from agentgym.trainers.credit import Credit
from agentgym.trainers.credit.trial import learns_from_one, tells_turns_apart
from agentgym.trainers.critic import Critic
from agentgym.trainers.engines.local import LocalEngine
from agentgym.trainers.engines.naive import NaiveEngine
from agentgym.trainers.policy import Policy
from agentgym.trainers.recompute import recompute
from agentgym.trainers.rewards import ChecksTasks, Reward
from agentgym.trainers.rewards.combine import check_channels
from agentgym.worker import Deadlines

LARGE_MODEL = 500_000_000
"""Above so many parameters `train.recompute: auto` is on."""


def check_recipe(recipe: Recipe) -> None:
    """Fail early on everything that can be known before anything runs.

    Raises:
        UsageError: an unknown environment, split, scheme, channel or key.
    """
    if env_class(recipe.env.id).expert_name is None:
        _refuse_expertless(recipe)
    for split in (recipe.env.train, recipe.env.eval):
        get_panel(recipe.env.id, split)
    if recipe.env.args:
        try:
            asyncio.run(_make_one(recipe))
        except EnvError as error:
            raise UsageError(f"'env.args': {error}") from error
    if recipe.env.pool == "inline" and recipe.env.deadlines != Deadlines():
        raise UsageError("'env.deadlines' hold for worker processes; set --env.pool process")
    device = choose_device(recipe)
    if recipe.train.optimizer == "adamw8bit":
        eight_bit.check(device)
    if recipe.lora is not None:
        registry.load("peft:LoraConfig")
    for name, channel in recipe.rewards.items():
        make_plugin(registry.rewards, name, channel.args, key=f"rewards.{name}")
    credit = make_plugin(registry.credits, recipe.credit.name, recipe.credit.args, key="credit")
    check_channels(config.channels(recipe), credit)
    _check_loss(recipe, credit)
    _check_groups(recipe, credit)
    for name, channel in recipe.rewards.items():
        _check_tasks(registry.rewards.make(name, **channel.args), recipe)
    curriculum = recipe.curriculum
    make_plugin(registry.curricula, curriculum.name, curriculum.args, key="curriculum")
    shared = {"train.tasks_per_step": recipe.train.tasks_per_step}
    if recipe.warm_start is not None:
        shared["warm_start.episodes_per_update"] = recipe.warm_start.episodes_per_update
    for key, count in shared.items():
        if count % recipe.processes:
            raise UsageError(
                f"{key} is {count}, which {recipe.processes} processes cannot share evenly"
            )


def _check_loss(recipe: Recipe, credit: Credit) -> None:
    """Hold the loss against what the credit scheme gives."""
    loss = make_plugin(registry.losses, recipe.loss.name, recipe.loss.args, key="loss")
    if loss.one_advantage and tells_turns_apart(credit):
        raise UsageError(
            f"loss {recipe.loss.name} has one advantage an episode, but credit scheme "
            f"{recipe.credit.name} gives turns of one episode different ones; for GSPO use loss "
            "gspo_token"
        )
    if loss.reads_clip_scales and credit([]).clip_scales is None:
        raise UsageError(
            f"loss {recipe.loss.name} clips each turn as its credit says, but credit scheme "
            f"{recipe.credit.name} does not say; use credit a2tgpo, or loss grpo_c"
        )


def _check_groups(recipe: Recipe, credit: Credit) -> None:
    """Hold the episodes of a group against what the credit scheme compares."""
    if recipe.sampler.temperature == 0 and recipe.train.steps:
        raise UsageError(
            "sampler.temperature is 0, so that all episodes of a group would be the same one; set "
            "it to 1, or to 0.05 or more (evaluation plays greedily, too, whatever it is)"
        )
    if recipe.train.group_size == 1 and recipe.train.steps and not learns_from_one(credit):
        raise UsageError(
            f"train.group_size is 1, but credit scheme {recipe.credit.name} compares the episodes "
            "of a group, and one alone gets no advantage; set it to 2 or more, or take a scheme "
            "that needs no group, such as reinforce_pp"
        )


def _refuse_expertless(recipe: Recipe) -> None:
    """Name what needs the expert that an environment does not have."""
    give = "give its class `expert_action` and `expert_name`"
    if recipe.warm_start is not None:
        raise UsageError(
            f"warm_start imitates an expert, and '{recipe.env.id}' has none; {give}, or set "
            "warm_start to null"
        )
    if recipe.model.path == "tiny":
        raise UsageError(
            f"model tiny is built from the text of an expert's episodes, and '{recipe.env.id}' has "
            f"no expert; {give}, or set model.path to a model folder or hub name"
        )


def _check_tasks(reward: Reward, recipe: Recipe) -> None:
    """Show the tasks of the train split to a reward channel that wants to see them."""
    if isinstance(reward, ChecksTasks):
        for task in get_panel(recipe.env.id, recipe.env.train):
            reward.check_task(task)


async def _make_one(recipe: Recipe) -> None:
    """Make an environment where the recipe's will live, and close it."""
    async with make_pool(recipe) as pool, pool.seat():
        pass


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


def reads_values(recipe: Recipe) -> bool:
    """Whether the recipe's credit scheme reads a critic's values."""
    return "values" in registry.credits.get(recipe.credit.name).reads


def keeps_reference(recipe: Recipe) -> bool:
    """Whether the loss or a reward channel asks the policy that the run began with."""
    channels = (registry.rewards.make(name, **c.args) for name, c in recipe.rewards.items())
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

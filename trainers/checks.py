"""What of a recipe can be held against each other before anything runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agentgym import registry
from agentgym.env import env_class, get_panel
from agentgym.errors import EnvError, UsageError
from agentgym.trainers import config, eight_bit, lora
from agentgym.trainers.build import choose_device, make_pool, make_rewards
from agentgym.trainers.config import Recipe, make_plugin
from agentgym.trainers.credit import Credit
from agentgym.trainers.credit.trial import learns_from_one, tells_turns_apart
from agentgym.trainers.rewards import ChecksTasks, Reward
from agentgym.trainers.rewards.combine import check_channels
from agentgym.worker import Deadlines


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
    if lora.is_adapter(Path(recipe.model.path)):
        raise UsageError(
            f"'{recipe.model.path}' is an adapter without its model; `agentgym export-model RUN "
            "FOLDER` writes both as one model"
        )
    for name, channel in recipe.rewards.items():
        make_plugin(registry.rewards, name, channel.args, key=f"rewards.{name}")
    credit = make_plugin(registry.credits, recipe.credit.name, recipe.credit.args, key="credit")
    check_channels(config.channels(recipe), credit)
    _check_loss(recipe, credit)
    _check_groups(recipe, credit)
    for reward in make_rewards(recipe).values():
        _check_tasks(reward, recipe)
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

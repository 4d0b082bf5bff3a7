"""The train step, in reading order: play, reward, credit, update.

What is left out of the textbook algorithm, and why: no critic (groups are the baseline); one
update per batch, so that the sampler's logprobs are the old ones and the clip only guards
against drift; no entropy bonus (entropy is measured and did not collapse without one).

Dimension letters: E trained tokens of one micro-batch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import torch

from agentgym.errors import AgentGymError
from agentgym.panel import Panel
from agentgym.pool import Pool
from agentgym.rollout import Agent, Start, play_groups
from agentgym.trainers.batches import MicroBatch
from agentgym.trainers.config import Recipe, channels
from agentgym.trainers.credit import Credit
from agentgym.trainers.curriculum import Uniform
from agentgym.trainers.engines.recorded import RecordedEngine
from agentgym.trainers.loss import Entries, PpoLoss, kl_to_reference
from agentgym.trainers.metrics import describe, join
from agentgym.trainers.pack import TrainSequence, assign, count_reencoded, pack
from agentgym.trainers.policy import Policy
from agentgym.trainers.probe import fill_channels
from agentgym.trainers.rewards import Reward
from agentgym.trainers.rewards.combine import combine
from agentgym.trainers.world import World
from agentgym.types import EpisodeId, Group

MIN_ADVANTAGE = 1e-12
"""A group whose advantages are all smaller carries no credit and is left out of the update."""


class DivergedError(AgentGymError):
    """The loss or its gradient is no longer a number; nothing of the step is saved."""


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """Everything a train step uses."""

    recipe: Recipe
    world: World
    policy: Policy
    reference: Policy | None
    """What the KL penalty compares with; None when it is off."""
    optimizer: torch.optim.Optimizer
    agent: Agent
    pool: Pool
    panel: Panel
    rewards: Mapping[str, Reward]
    credit: Credit
    loss: PpoLoss
    curriculum: Uniform
    refresh_engine: Callable[[], None]
    """Tells the engine that the weights changed, so that it drops what it computed with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPart:
    """What one process contributes to a step's record."""

    groups: tuple[Group, ...]
    credit: dict[str, float]
    gap: float
    """Largest |sampling-time - train-time logprob| among its trained tokens."""
    num_dropped: int
    """Groups without any advantage."""
    num_reencoded: int
    """Trained tokens that are not what the engine sampled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """One train step: its record on the leading process, no groups on the others."""

    groups: tuple[Group, ...]
    metrics: dict[str, float]


def train_step(trainer: Trainer, step: int) -> StepResult:
    """Play one batch of groups, give credit, update the policy once."""
    recipe, world, policy = trainer.recipe, trainer.world, trainer.policy
    config = recipe.train
    began = time.monotonic()

    # 1. Play: this process's share of the tasks, all episodes at once.
    tasks = trainer.curriculum(
        trainer.panel, step, count=config.tasks_per_step, seed=recipe.seed
    )
    starts = [
        Start(
            id=EpisodeId(step=step, group=index, member=0),
            task=task,
            panel_hash=trainer.panel.hash,
            env=recipe.env.id,
            seed=recipe.seed,
        )
        for index, task in enumerate(tasks)
    ]
    engine = RecordedEngine(trainer.agent.engine)
    agent = replace(trainer.agent, engine=engine, policy_version=step)
    play = play_groups(trainer.pool, agent, world.share(starts), size=config.group_size)
    groups = asyncio.run(play)
    played = time.monotonic()

    # 2. Reward channels: every question of the step in one pass without gradients.
    filled = fill_channels(groups, trainer.panel, trainer.rewards, policy=policy)
    scored = combine(filled.groups, channels(recipe))

    # 3. Credit: one advantage per turn of every valid member.
    credited = trainer.credit(scored)
    groups = assign(filled.groups, credited)
    rewarded = time.monotonic()

    # 4. Pack: advantages spread over the sampled tokens. A group without any advantage has
    # nothing to teach, so it is left out of the pass and of the mean.
    kept = [group for group in groups if _carries_credit(group) or config.kl > 0]
    episodes = chain.from_iterable(group.valid for group in kept)
    sequences = pack(episodes, mask_truncated=config.mask_truncated)
    # The mean is over all trained tokens of the step on all processes: what a token counts does
    # not depend on where it was packed.
    mine = sum(len(sequence.trained) for sequence in sequences)
    num_tokens = world.sum_floats({"tokens": float(mine)})["tokens"]

    # 5. Update: gradients summed over micro-batches and processes, one optimizer step.
    sums = {"loss": 0.0, "entropy": 0.0, "kl": 0.0}
    gap = 0.0
    micro_batches = policy.plan(
        [sequence.ids for sequence in sequences],
        [sequence.trained for sequence in sequences],
        budget=config.micro_batch_tokens,
    )
    for batch in micro_batches:
        entries = _entries(trainer, batch, [sequences[index] for index in batch.members])
        losses_E = trainer.loss(entries)
        if entries.ref_logprobs_E is not None:
            kl_E = kl_to_reference(entries)
            losses_E = losses_E + config.kl * kl_E
            sums["kl"] += float(kl_E.sum().detach())
        loss = losses_E.sum() / num_tokens
        loss.backward()
        sums["loss"] += float(loss.detach())
        # The surprise of sampled tokens estimates the entropy without a pass of its own.
        sums["entropy"] -= float(entries.logprobs_E.sum().detach())
        drift_E = (entries.logprobs_E.detach() - entries.old_logprobs_E).abs()
        gap = max(gap, float(drift_E.max()))
    # Without a trained token the optimizer's momentum alone would move the weights.
    grad_norm = _step_optimizer(trainer, step) if num_tokens else 0.0
    updated = time.monotonic()

    # 6. Report: groups and numbers of all processes, on the leading one.
    part = StepPart(
        groups=groups,
        credit={**credited.metrics, **filled.metrics},
        gap=gap,
        num_dropped=len(groups) - len(kept),
        num_reencoded=count_reencoded(sequences, engine.sampled),
    )
    parts = world.gather(part)
    shared = world.sum_floats(sums)
    metrics = {
        "loss/loss": shared["loss"],
        "loss/entropy": shared["entropy"] / max(1.0, num_tokens),
        "loss/kl": shared["kl"] / max(1.0, num_tokens),
        "grad_norm": grad_norm,
        "tokens/trained": num_tokens,
        "seconds/rollout": played - began,
        "seconds/credit": rewarded - played,
        "seconds/update": updated - rewarded,
    }
    return _collect(parts, metrics)


def _carries_credit(group: Group) -> bool:
    return any(
        abs(advantage) > MIN_ADVANTAGE
        for episode in group.valid
        for advantage in episode.advantages or ()
    )


def _entries(
    trainer: Trainer, batch: MicroBatch, sequences: Sequence[TrainSequence]
) -> Entries:
    """The micro-batch as flat entries, with the current policy's logprobs.

    Args:
        sequences: parallel to its members.
    """

    def flat(values: Sequence[Sequence[float]]) -> torch.Tensor:
        return torch.tensor(list(chain.from_iterable(values)), device=trainer.policy.device)

    reference = None
    if trainer.reference is not None:
        with torch.no_grad():
            reference = trainer.reference.run(batch).logprobs
    return Entries(
        logprobs_E=trainer.policy.run(batch).logprobs,
        old_logprobs_E=flat([sequence.old_logprobs for sequence in sequences]),
        ref_logprobs_E=reference,
        advantages_E=flat([sequence.advantages for sequence in sequences]),
    )


def _step_optimizer(trainer: Trainer, step: int) -> float:
    """Sum gradients over the processes, clip, step; the gradient's norm before clipping.

    Raises:
        DivergedError: the gradient is not finite; the weights are left as they were.
    """
    config = trainer.recipe.train
    trainer.policy.sum_gradients(trainer.world)
    norm = torch.nn.utils.clip_grad_norm_(
        trainer.policy.model.parameters(), config.max_grad_norm
    )
    if not torch.isfinite(norm):
        raise DivergedError(f"step {step}: the gradient's norm is {float(norm)}")
    warmth = min(1.0, (step + 1) / max(1, config.warmup_steps))
    decay = 1 - (1 - config.last_lr_share) * step / config.steps
    for parameters in trainer.optimizer.param_groups:
        parameters["lr"] = config.lr * warmth * decay
    trainer.optimizer.step()
    trainer.optimizer.zero_grad()
    trainer.refresh_engine()
    return float(norm)


def _collect(parts: Sequence[StepPart], metrics: dict[str, float]) -> StepResult:
    """The parts of all processes as one result; nothing on processes that do not lead."""
    groups = sorted(
        chain.from_iterable(part.groups for part in parts),
        key=lambda group: group.episodes[0].id.group,
    )
    if parts:
        metrics |= describe(groups) | join(part.credit for part in parts)
        metrics["groups/dropped"] = float(sum(part.num_dropped for part in parts))
        metrics["tokens/reencoded"] = float(sum(part.num_reencoded for part in parts))
        metrics["logprob_gap"] = max(part.gap for part in parts)
    return StepResult(groups=tuple(groups), metrics=metrics)

"""The train step, in reading order: play, reward, credit, update.

What is left out of the textbook algorithm, and why: no critic, unless the credit scheme reads
one (groups are the baseline); one update per batch, so that the sampler's logprobs are the old
ones and the clip only guards against drift; no entropy bonus (entropy is measured).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import torch

from agentgym.errors import AgentGymError
from agentgym.meter import Reading
from agentgym.panel import Panel
from agentgym.pool import Pool
from agentgym.rollout import Agent, Start, play_groups
from agentgym.trainers.config import Recipe, channels
from agentgym.trainers.credit import Credit
from agentgym.trainers.critic import Critic, add_gradients, fill_values
from agentgym.trainers.curriculum import Uniform
from agentgym.trainers.engines.recorded import RecordedEngine
from agentgym.trainers.keep import carries_credit, is_informative
from agentgym.trainers.loss import Loss
from agentgym.trainers.memory import forget_peak, give_back, peaks
from agentgym.trainers.metrics import describe, join
from agentgym.trainers.pack import assign, clip_scales, count_reencoded, pack
from agentgym.trainers.policy import Policy
from agentgym.trainers.probe import fill_channels
from agentgym.trainers.rewards import Reward
from agentgym.trainers.rewards.combine import combine
from agentgym.trainers.schedule import learning_rate
from agentgym.trainers.sequences import Sequences
from agentgym.trainers.update import Sums, Updater, accumulate, summarize
from agentgym.trainers.world import World
from agentgym.types import Credited, EpisodeId, Group, ScoredGroup

PHASES = (
    "render",
    "prefill",
    "decode",
    "environment",
    "probe",
    "credit",
    "forward",
    "backward",
    "optimizer",
    "other",
)
"""What the seconds of a train step are told by; where environments work at the same time, those
in which nothing else did."""


class DivergedError(AgentGymError):
    """The loss or its gradient is no longer a number; nothing of the step is saved."""


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """Everything a train step uses."""

    recipe: Recipe
    world: World
    policy: Policy
    reference: Policy | None
    """The policy that the run began with, for the KL penalty and channels that ask it; None when
    nothing does."""
    optimizer: torch.optim.Optimizer
    agent: Agent
    pool: Pool
    panel: Panel
    rewards: Mapping[str, Reward]
    credit: Credit
    loss: Loss
    curriculum: Uniform
    refresh_engine: Callable[[], None]
    """Tells the engine that the weights changed, so that it drops what it computed with them."""
    critic: Critic | None = None
    """For schemes that read its values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPart:
    """What one process contributes to a step's record."""

    groups: tuple[Group, ...]
    credit: dict[str, float]
    measured: tuple[dict[str, float], ...]
    """What the reward channels say of each episode."""
    sums: Sums
    num_dropped: int
    """Groups that were left out of the update."""
    num_dropped_small: int
    """Of these, how many have fewer than two valid members."""
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
    config, meter = recipe.train, trainer.agent.meter
    meter.read()  # evaluations are measured, too
    forget_peak()
    began = time.perf_counter()

    # 1. Play: this process's share of the tasks, all episodes at once.
    tasks = trainer.curriculum(trainer.panel, step, count=config.tasks_per_step, seed=recipe.seed)
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
    give_back()

    # 2. Reward channels: every question of the step in one pass without gradients.
    with meter.phase("probe"):
        filled = fill_channels(
            groups, trainer.panel, trainer.rewards, policy=policy, reference=trainer.reference
        )
        groups = filled.groups
        if trainer.critic is not None:
            groups = fill_values(groups, trainer.critic, policy)

    # 3. Credit: one advantage per turn, or per sampled token, of every valid member.
    with meter.phase("credit"):
        scored = combine(groups, channels(recipe))
        credited = _credit(trainer, scored)
        groups = assign(groups, credited)

        # 4. Pack: advantages spread over the sampled tokens. A group without any advantage has
        # nothing to teach, so it is left out of the pass and of the mean.
        kept = [group for group in groups if _is_kept(trainer, group)]
        episodes = chain.from_iterable(group.valid for group in kept)
        scales = clip_scales(groups, credited)
        sequences = pack(episodes, mask_truncated=config.mask_truncated, scales=scales)
    # Means are over the whole step on all processes: what a token counts does not depend on
    # where it was packed.
    with meter.phase("forward"):
        wholes = Sequences.of(sequences, trainer.loss, policy=policy, world=world)
    num_tokens = wholes.counts.num_tokens

    # 5. Update: gradients summed over micro-batches and processes, one optimizer step.
    updater = Updater(
        policy=policy,
        reference=trainer.reference if config.kl > 0 else None,
        loss=trainer.loss,
        kl=config.kl,
        budget=config.token_budget,
        max_importance=config.max_importance,
        meter=meter,
    )
    sums = accumulate(updater, sequences, wholes)
    critic_metrics: dict[str, float] = {}
    # Without a step of the optimizer its gradient would lie there until the next one.
    if trainer.critic is not None and num_tokens:
        with meter.phase("backward"):
            critic_metrics = add_gradients(
                groups,
                credited,
                critic=trainer.critic,
                policy=policy,
                budget=config.token_budget,
                world=world,
            )
    # Without a trained token the optimizer's momentum alone would move the weights.
    with meter.phase("optimizer"):
        grad_norm = _step_optimizer(trainer, step) if num_tokens else 0.0
    give_back()

    # 6. Report: groups and numbers of all processes, on the leading one.
    part = StepPart(
        groups=groups,
        credit=dict(credited.metrics),
        measured=filled.measured,
        sums=sums,
        num_dropped=len(groups) - len(kept),
        num_dropped_small=_count_small(groups) - _count_small(kept),
        num_reencoded=count_reencoded(sequences, engine.sampled),
    )
    parts = world.gather(part)
    result = _collect(
        parts, {"grad_norm": grad_norm, **critic_metrics, "tokens/trained": num_tokens}
    )
    if world.leads:
        result.metrics.update(measure(meter.read(), result, time.perf_counter() - began))
    return result


def _credit(trainer: Trainer, scored: Sequence[ScoredGroup]) -> Credited:
    """The scheme's advantages of this process's groups.

    A scheme that compares groups is given those of all processes, in their order in the step.
    """
    if "batch" not in trainer.credit.reads:
        return trainer.credit(scored)
    world = trainer.world
    parts = world.gather_all(list(scored))
    # `World.share` deals groups out one by one, to every process as many.
    whole = [group for groups in zip(*parts, strict=True) for group in groups]
    credited = trainer.credit(whole)
    tokens, targets = credited.token_advantages, credited.value_targets
    scales = credited.clip_scales
    return replace(
        credited,
        advantages=tuple(world.share(credited.advantages)),
        token_advantages=None if tokens is None else tuple(world.share(tokens)),
        value_targets=None if targets is None else tuple(world.share(targets)),
        clip_scales=None if scales is None else tuple(world.share(scales)),
    )


def _count_small(groups: Sequence[Group]) -> int:
    """Groups in which errors of ours left fewer than two members to compare."""
    return sum(len(group.valid) < 2 for group in groups)


def _is_kept(trainer: Trainer, group: Group) -> bool:
    """Whether the group takes part in the update."""
    if trainer.recipe.train.dynamic_sampling:
        return is_informative(group, trainer.credit)
    # The penalty teaches where credit does not.
    return trainer.recipe.train.kl > 0 or carries_credit(group)


def _step_optimizer(trainer: Trainer, step: int) -> float:
    """Sum gradients over the processes, clip, step; the gradient's norm before clipping.

    Raises:
        DivergedError: the gradient is not finite; the weights are left as they were.
    """
    config = trainer.recipe.train
    trainer.world.sum_gradients(trainer.policy.model.parameters())
    norm = torch.nn.utils.clip_grad_norm_(trainer.policy.model.parameters(), config.max_grad_norm)
    if trainer.critic is not None:
        trainer.world.sum_gradients(trainer.critic.parameters())
        # Clipped apart, so that a surprised critic does not shorten the policy's step.
        critic_norm = torch.nn.utils.clip_grad_norm_(
            trainer.critic.parameters(), config.max_grad_norm
        )
        norm = torch.where(torch.isfinite(critic_norm), norm, critic_norm)
    if not torch.isfinite(norm):
        raise DivergedError(f"step {step}: the gradient's norm is {float(norm)}")
    for parameters in trainer.optimizer.param_groups:
        parameters["lr"] = learning_rate(
            parameters.get("peak_lr", config.lr),
            step,
            num_steps=config.steps,
            warmup=config.warmup_steps,
            last_share=config.last_lr_share,
        )
    trainer.optimizer.step()
    trainer.optimizer.zero_grad()
    trainer.refresh_engine()
    return float(norm)


def measure(found: Reading, result: StepResult, seconds: float) -> dict[str, float]:
    """What a step took, in the leading process; tokens and turns are those of all processes.

    Args:
        seconds: the step's, on the wall.
    """
    spent = {name: found.seconds.get(name, 0.0) for name in PHASES}
    spent["other"] = seconds - sum(spent.values())
    turns = sum(len(e.turns) for group in result.groups for e in group.episodes)
    return {
        **{f"seconds/{name}": value for name, value in spent.items()},
        "tokens/prefilled": float(found.counts.get("tokens/prefilled", 0)),
        "tokens/reread": float(found.counts.get("tokens/reread", 0)),
        "episodes/evicted": float(found.counts.get("evictions", 0)),
        "speed/tokens_per_s": result.metrics["tokens/sampled"] / seconds,
        "speed/turns_per_s": turns / seconds,
        **peaks(),
    }


def _collect(parts: Sequence[StepPart], metrics: dict[str, float]) -> StepResult:
    """The parts of all processes as one result; nothing on processes that do not lead."""
    groups = sorted(
        chain.from_iterable(part.groups for part in parts),
        key=lambda group: group.episodes[0].id.group,
    )
    if parts:
        metrics |= describe(groups)
        # Every process has as many groups, but not as many episodes with a channel's figure.
        metrics |= join(part.credit for part in parts)
        metrics |= join(chain.from_iterable(part.measured for part in parts))
        metrics["groups/dropped"] = float(sum(part.num_dropped for part in parts))
        small = float(sum(part.num_dropped_small for part in parts))
        metrics["groups/dropped_without_two_valid"] = small
        metrics["tokens/reencoded"] = float(sum(part.num_reencoded for part in parts))
        metrics |= summarize([part.sums for part in parts], metrics["tokens/trained"])
    return StepResult(groups=tuple(groups), metrics=metrics)

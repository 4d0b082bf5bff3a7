"""Our side of `vs_trl`: `python -m tests.benchmarks.vs_trl_ours JOB`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch

from agentgym import registry
from agentgym.envs.alfworld.env import ALFWorld
from agentgym.render import Renderer
from agentgym.trainers.build import (
    Panels,
    load_policy,
    make_agent,
    make_optimizer,
    make_pool,
)
from agentgym.trainers.config import Recipe, validate
from agentgym.trainers.credit import Credit
from agentgym.trainers.curriculum import Uniform
from agentgym.trainers.memory import peak_rss_gb
from agentgym.trainers.step import Trainer, train_step
from agentgym.trainers.world import World
from agentgym.types import Credited, ScoredGroup, Task

from .vs_trl_job import Answer, Job, Step  # noqa: TID252  one name when run and when type-checked

NOTHING = 1e-9
"""An advantage that keeps a group in the update."""


class Timed:
    """A credit scheme that remembers when it was done: behind it the update begins.

    What has no advantage gets one that is nothing: it is trained as TRL trains it, not left out.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"outcome"})

    def __init__(self, credit: Credit) -> None:
        self.credit = credit
        self.done = 0.0

    def __call__(self, groups: Sequence[ScoredGroup]) -> Credited:
        """See `Credit`."""
        credited = self.credit(groups)
        advantages = tuple(
            tuple(tuple(value or NOTHING for value in row) for row in rows)
            for rows in credited.advantages
        )
        self.done = time.process_time()
        return replace(credited, advantages=advantages)


def make_recipe(job: Job) -> Recipe:
    """GRPO on the job's model, all sampled tokens trained, as TRL does."""
    return validate(
        {
            "seed": job.seed,
            "env": {"id": "agentgym/ALFWorld-v0", "max_turns": job.max_turns},
            "model": {"path": job.model, "device": "cpu", "context": job.context},
            "train": {
                "steps": job.num_steps,
                "tasks_per_step": job.num_tasks,
                "group_size": job.group_size,
                "lr": 1e-6,
                "warmup_steps": 0,
                "max_turn_tokens": job.max_turn_tokens,
                "mask_truncated": False,
                "micro_batch_tokens": job.micro_batch_tokens,
            },
            "credit": {"name": "grpo"},
        }
    )


def make_trainer(recipe: Recipe, credit: Credit) -> Trainer:
    """What a train step uses."""
    policy = load_policy(recipe, recipe.model.path)
    agent, engine = make_agent(recipe, policy)
    return Trainer(
        recipe=recipe,
        world=World(rank=0, size=1),
        policy=policy,
        reference=None,
        optimizer=make_optimizer(recipe, policy, None),
        agent=agent,
        pool=make_pool(recipe),
        panel=Panels.load(recipe).train,
        rewards={},
        credit=credit,
        loss=registry.losses.make("ppo"),
        curriculum=Uniform(),
        refresh_engine=engine.reset,
    )


def converse(renderer: Renderer, task: Task) -> list[int]:
    """See `Answer.conversation`."""
    env = ALFWorld()
    talk = renderer.start(env.system_prompt)
    talk.observe(env.reset(options={"task": task})[0])
    talk.act([*renderer.encode("look"), renderer.template.end_id])
    return list(talk.observe(env.step("look")[0]).ids)


def take(trainer: Trainer, credit: Timed, number: int) -> Step:
    """One step, timed."""
    began = time.process_time()
    result = train_step(trainer, number)
    ended = time.process_time()
    episodes = [episode for group in result.groups for episode in group.episodes]
    assert all(episode.valid for episode in episodes)
    turns = [turn for episode in episodes for turn in episode.turns]
    return Step(
        rollout=credit.done - began,
        update=ended - credit.done,
        num_turns=len(turns),
        num_sampled=sum(len(turn.action_ids) for turn in turns),
        num_trained=int(result.metrics["tokens/trained"]),
        success=result.metrics["success"],
    )


def main() -> None:
    """Do the job."""
    job = Job.read()
    torch.set_num_threads(1)
    torch.manual_seed(job.seed)
    credit = Timed(registry.credits.make("grpo"))
    trainer = make_trainer(make_recipe(job), credit)
    conversation = converse(trainer.agent.renderer, job.tasks()[0])
    loaded = peak_rss_gb()
    steps = [take(trainer, credit, number) for number in range(job.num_steps)]
    Answer(conversation=conversation, steps=steps, loaded_gb=loaded, peak_gb=peak_rss_gb()).write()


if __name__ == "__main__":
    main()

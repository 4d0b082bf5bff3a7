"""A train step's time against its work: `python -m tests.benchmarks.linearity [--json]`.

Episodes of ALFWorld by the quickstart's model with random weights, played and trained on (a KL
penalty, as nothing is won); three doublings in the number of episodes and three in that of turns,
at twice the work no more than 2.2 times the seconds. The floor is 2. Of a step's seconds at least
nine in ten belong to a phase that has a name.

One thread; the sizes take turns, and the best of each counts; CPU seconds, which other load on the
machine changes less than those on the wall.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from agentgym import registry
from agentgym.trainers.build import Panels, load_policy, make_agent, make_optimizer, make_pool
from agentgym.trainers.config import merge, resolve
from agentgym.trainers.imitate import build_model
from agentgym.trainers.step import Trainer, train_step
from agentgym.trainers.world import World

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

SIZES = (1, 2, 4, 8)
GROUPS, TURNS = 4, 4
"""Of the smallest; the other one is at its middle while one grows."""
NUM_ROUNDS = 5


def make_trainer(model: Path, *, groups: int, turns: int) -> Trainer:
    """What a train step of so many groups of four takes."""
    changes: dict[str, Any] = {
        "processes": 1,
        "env": {"max_turns": turns},
        "model": {"path": str(model)},
        "warm_start": None,
        "train": {"tasks_per_step": groups, "group_size": 4, "kl": 1e-3, "max_turn_tokens": 8},
    }
    recipe = resolve("quickstart", merge(changes, {"train": {"mask_truncated": False}}))
    policy = load_policy(recipe, str(model))
    agent, engine = make_agent(recipe, policy)
    return Trainer(
        recipe=recipe,
        world=World(rank=0, size=1),
        policy=policy,
        reference=load_policy(recipe, str(model), frozen=True),
        optimizer=make_optimizer(recipe, policy, None),
        agent=agent,
        pool=make_pool(recipe),
        panel=Panels.load(recipe).train,
        rewards={},
        credit=registry.credits.make(recipe.credit.name, **recipe.credit.args),
        loss=registry.losses.make(recipe.loss.name, **recipe.loss.args),
        curriculum=registry.curricula.make(recipe.curriculum.name),
        refresh_engine=engine.reset,
    )


def seconds(trainer: Trainer) -> float:
    """Of a train step whose episodes are all as long as they may be."""
    began = time.process_time()
    result = train_step(trainer, 0)
    taken = time.process_time() - began
    assert result.metrics["turns/mean"] == trainer.recipe.env.max_turns
    assert result.metrics["tokens/trained"] > 0
    return taken


def unnamed_share(trainer: Trainer) -> float:
    """Of a train step's seconds, on the wall."""
    metrics = train_step(trainer, 0).metrics
    spent = [value for name, value in metrics.items() if name.startswith("seconds/")]
    return metrics["seconds/other"] / sum(spent)


def measure() -> Iterator[Row]:
    """All rows."""
    torch.set_num_threads(1)
    recipe = resolve("quickstart")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder)
        build_model(recipe, Panels.load(recipe).train, model)
        seconds(make_trainer(model, groups=1, turns=TURNS))  # the first step pays for imports
        yield Row(
            what="seconds of no phase",
            value=unnamed_share(make_trainer(model, groups=2 * GROUPS, turns=2 * TURNS)),
            unit="share",
            bar=0.1,
            better="lower",
        )
        for what in ("episodes", "turns"):
            best = dict.fromkeys(SIZES, float("inf"))
            for _ in range(NUM_ROUNDS):
                for size in SIZES:
                    groups = GROUPS * (size if what == "episodes" else 2)
                    turns = TURNS * (size if what == "turns" else 2)
                    trainer = make_trainer(model, groups=groups, turns=turns)
                    best[size] = min(best[size], seconds(trainer))
            for small, large in pairwise(SIZES):
                count = 4 * GROUPS if what == "episodes" else TURNS
                yield Row(
                    what=f"{count * small} to {count * large} {what}",
                    value=best[large] / best[small],
                    unit="ratio",
                    bar=2.2,
                    better="lower",
                )


if __name__ == "__main__":
    main("linearity", measure)

"""Runs as the trainer stores them, of groups written by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from graph_groups import S1, random_groups
from scored import group
from small_runs import small_recipe

from agentgym import registry, store
from agentgym.trainers import config
from agentgym.trainers.credit import Credit
from agentgym.trainers.pack import assign
from agentgym.trainers.rewards.combine import combine
from agentgym.types import EpisodeId, Group, Status, Turn


def place(groups: Sequence[Group], step: int) -> list[Group]:
    """The groups with ids, and a failed member in each that nobody may notice."""
    placed = []
    for number, found in enumerate(groups):
        lost = replace(S1.episodes[1], status=Status.INFRA_ERROR, score=None, success=None)
        members = [*found.episodes, lost]
        placed.append(
            group(
                *(
                    replace(m, id=EpisodeId(step=step, group=number, member=0), advantages=None)
                    for m in members
                )
            )
        )
    return placed


def write_run(
    folder: Path,
    groups: Callable[[int], Sequence[Group]],
    *,
    name: str = "salt",
    processes: int = 1,
    **settings: Any,
) -> store.Run:
    """A run of two steps as the trainer stores it, credited by the scheme of that name."""
    recipe = small_recipe("tiny", credit={"name": name, **settings})
    store.write_text(folder / "config.yaml", config.dump(recipe))
    credit: Credit = registry.credits.make(name, **settings)
    for step in (0, 1):
        played = place(groups(step), step)
        done = assign(played, credit(combine(played, {})))
        path = folder / "episodes" / f"step-{step:06d}.parquet"
        store.write_episodes(path, [e for g in done for e in g.episodes])
    return store.open(folder)


def by_seed(step: int) -> list[Group]:
    """Random groups, each turn of three tokens that a critic has valued."""
    rng = np.random.default_rng(step)
    return [
        group(*(replace(e, turns=tuple(valued(turn, rng) for turn in e.turns)) for e in g.episodes))
        for g in random_groups(step, 4)
    ]


def valued(turn: Turn, rng: np.random.Generator) -> Turn:
    """The turn with three tokens and their values."""
    values = tuple(rng.normal(size=3).tolist())
    return replace(turn, action_ids=(2, 2, 2), logprobs=(-0.5,) * 3, values=values)

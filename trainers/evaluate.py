"""Evaluation on a frozen panel, with intervals over its tasks."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, TypeAlias

import numpy as np

from agentgym.panel import Panel
from agentgym.pool import Pool
from agentgym.rollout import Agent, Start, play_groups
from agentgym.trainers.world import World
from agentgym.types import EpisodeId, Group

RESAMPLES = 10_000
"""Of every bootstrap."""
RESAMPLES_AT_ONCE = 500
"""Bounds the memory of a bootstrap over thousands of tasks."""
Interval: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The result of one evaluation. Success is a share in [0, 1].

    A mean over no valid episode is None, and so is its interval: it is not zero.
    """

    success: float | None
    n: int
    """Tasks with at least one valid episode; every task weighs the same."""
    episodes: int
    ci95: Interval | None
    """Bootstrap over tasks."""
    by_type: Mapping[str, float | None]
    by_task: Mapping[str, float]
    """Mean success of each task's valid episodes."""
    score: float | None
    num_errors: int
    """Episodes lost to errors of ours; they are in no mean."""

    def summary(self) -> dict[str, Any]:
        """The figures for a report: all but those of single tasks."""
        names = ("success", "n", "episodes", "ci95", "by_type", "score", "num_errors")
        return {name: getattr(self, name) for name in names}


def evaluate(
    pool: Pool, agent: Agent, panel: Panel, *, seed: int, size: int, world: World
) -> tuple[Group, ...]:
    """Play every task of a panel `size` times; all groups, on the leading process only.

    The train steps behind the agent, its `policy_version`, are the step of its episodes.
    """
    starts = [
        Start(
            id=EpisodeId(step=agent.policy_version, group=index, member=0),
            task=task,
            panel_hash=panel.hash,
            env=panel.env,
            seed=seed,
        )
        for index, task in enumerate(panel.tasks)
    ]
    mine = world.share(starts)
    played = asyncio.run(play_groups(pool, agent, mine, size=size))
    groups = list(chain.from_iterable(world.gather(played)))
    return tuple(sorted(groups, key=lambda group: group.episodes[0].id.group))


def greedy(agent: Agent) -> Agent:
    """The same agent, always taking the likeliest token."""
    return replace(agent, sampler=agent.sampler.greedy())


def figures(groups: Sequence[Group], panel: Panel) -> Figures:
    """Means over tasks, overall and by the tasks' `public["type"]`, with a 95 % interval."""
    by_task = {
        group.task_id: float(np.mean([bool(e.success) for e in group.valid]))
        for group in groups
        if group.valid
    }
    types: dict[str, list[float]] = defaultdict(list)
    for group in groups:
        of_type = types[str(panel.get(group.task_id).public.get("type", "all"))]
        if group.task_id in by_task:
            of_type.append(by_task[group.task_id])
    valid = [episode for group in groups for episode in group.valid]
    return Figures(
        success=mean(list(by_task.values())),
        n=len(by_task),
        episodes=len(valid),
        ci95=interval(list(by_task.values())),
        by_type={name: mean(shares) for name, shares in sorted(types.items())},
        by_task=by_task,
        score=mean([e.score for e in valid if e.score is not None]),
        num_errors=sum(len(group.episodes) for group in groups) - len(valid),
    )


def gain(before: Figures, after: Figures) -> tuple[float | None, Interval | None]:
    """The mean difference in success over the tasks of both, and its paired interval; None where
    they have no task in common."""
    both = sorted(before.by_task.keys() & after.by_task.keys())
    differences = [after.by_task[task] - before.by_task[task] for task in both]
    return mean(differences), interval(differences)


def mean(values: Sequence[float]) -> float | None:
    """The mean; None of nothing."""
    return float(np.mean(values)) if values else None


def interval(values: Sequence[float]) -> Interval | None:
    """The 95 % percentile bootstrap interval of the mean, with a fixed generator; None of
    nothing."""
    if not values:
        return None
    data = np.asarray(values)
    generator = np.random.default_rng(0)
    size = (RESAMPLES_AT_ONCE, len(data))
    means = [
        data[generator.integers(len(data), size=size)].mean(axis=1)
        for _ in range(RESAMPLES // RESAMPLES_AT_ONCE)
    ]
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return (float(low), float(high))

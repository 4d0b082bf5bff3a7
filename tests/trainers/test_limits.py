"""Limits of time, from a recipe to the episodes that they end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from small_runs import small_recipe, small_trainer

from agentgym.envs.toys.box import Box
from agentgym.pool import Pool
from agentgym.render import ByteTemplate, Renderer
from agentgym.rollout import Agent, Start, play_group
from agentgym.trainers.build import make_pool
from agentgym.trainers.engines.scripted import ScriptedEngine
from agentgym.trainers.step import train_step
from agentgym.types import EpisodeId, Group, Status

BOX = "agentgym/Box-v0"
TASK = Box.panel("gen1/train").tasks[0]
SCRIPT: Mapping[tuple[int, int], list[str]] = {
    (0, 0): ["run cat note", "hang"],
    (0, 1): [f"submit {TASK.id}"],
}


def test_a_call_that_hangs_ends_at_the_recipes_deadline_and_costs_its_episode() -> None:
    recipe = small_recipe("tiny", env={"id": BOX, "pool": "process", "deadlines": {"step_s": 0.5}})
    agent = Agent(
        engine=ScriptedEngine(SCRIPT, encode=lambda text: (*text.encode(), 258)),
        renderer=Renderer(ByteTemplate()),
        context=4000,
        max_turn_tokens=50,
    )
    start = Start(
        id=EpisodeId(step=0, group=0, member=0), task=TASK, panel_hash="", env=BOX, seed=0
    )

    async def played(pool: Pool) -> Group:
        async with pool:
            return await play_group(pool, agent, start, size=2)

    hung, sound = asyncio.run(played(make_pool(recipe))).episodes
    assert hung.status is Status.INFRA_ERROR
    assert hung.error is not None
    assert (hung.error.type, hung.error.message) == (
        "DeadlineError", "step took longer than 0.5 s",
    )  # fmt: skip
    assert sound.status is Status.SUCCESS


@pytest.mark.parametrize(("limit", "is_cut"), [(1e-6, True), (None, False), (3600.0, False)])
def test_an_episode_past_the_recipes_time_is_truncated(
    limit: Any, is_cut: bool, corridor_model: Path
) -> None:
    recipe = small_recipe(corridor_model, env={"max_seconds": limit})
    groups = train_step(small_trainer(recipe), 0).groups
    episodes = [episode for group in groups for episode in group.episodes]
    found = {episode.status for episode in episodes if not episode.success}
    assert (found == {Status.TRUNCATED_TIME}) is is_cut
    assert (max(len(episode.turns) for episode in episodes) == 1) is is_cut

"""Groups that a scripted engine really played in Corridor, with all that credit reads."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random

from agentgym.engine import Request
from agentgym.envs.toys.corridor import Corridor
from agentgym.pool import InlinePool
from agentgym.render import ByteTemplate, Renderer
from agentgym.rollout import Agent, Start, play_group
from agentgym.trainers.engines.scripted import ScriptedEngine
from agentgym.types import Episode, EpisodeId, Group, Task

ENV = "agentgym/Corridor-v0"
SAID = ("east", "east", "west", "take blue key", "take red key", "open door", "nonsense")
NEAR = Task(id="near", split="test", seed=5, public={"rooms": (1, 1, 2)})
"""The keys are here, the door is one room to the east: chance wins now and then."""


def said(request: Request) -> str:
    """A word that only the episode and the turn decide."""
    where = request.episode
    return Random(f"{where.step} {where.group} {where.member} {request.turn}").choice(SAID)


def read_by_all(episode: Episode) -> Episode:
    """The episode with an information gain per turn and a value per token."""
    draw = Random(f"{episode.id}")
    turns = tuple(
        replace(
            turn,
            channels={"information_gain": draw.gauss(0, 1)},
            values=tuple(draw.gauss(0, 1) for _ in turn.action_ids),
        )
        for turn in episode.turns
    )
    return replace(episode, turns=turns)


def walked_groups(step: int, *, count: int = 3, size: int = 6) -> list[Group]:
    """Groups of one task, with gains and a critic's values added."""
    agent = Agent(
        engine=ScriptedEngine(said),
        renderer=Renderer(ByteTemplate(), history=None),
        context=8000,
        max_turn_tokens=50,
    )
    pool = InlinePool(ENV, max_turns=20)
    groups = []
    for number in range(count):
        start = Start(
            id=EpisodeId(step=step, group=number, member=0),
            task=NEAR,
            panel_hash=Corridor.panel("gen1/train").hash,
            env=ENV,
            seed=11,
        )
        played = asyncio.run(play_group(pool, agent, start, size=size))
        groups.append(replace(played, episodes=tuple(map(read_by_all, played.episodes))))
    return groups

"""A fault in a group costs its own episode: an error, no score, and nobody else's credit."""

from __future__ import annotations

import asyncio

import pytest

from agentgym.envs.toys.box import Box
from agentgym.envs.toys.faults import FAULTS
from agentgym.pool import ProcessPool
from agentgym.registry import credits
from agentgym.render import ByteTemplate, Renderer
from agentgym.rollout import Agent, Start, play_group
from agentgym.trainers.engines.scripted import ScriptedEngine, utf8
from agentgym.trainers.rewards.combine import combine
from agentgym.types import EpisodeId, Group, Status
from agentgym.worker import Deadlines

ENV_ID = "agentgym/Box-v0"
PANEL = Box.panel("gen1/train")
RIGHT, WRONG = f"submit {PANEL.tasks[0].id}", "submit nothing"
SOUND = (("run cat note", RIGHT), ("run cat note", WRONG), (RIGHT,), ("run ls", WRONG))
ERRORS = {
    "hang": (Status.INFRA_ERROR, "DeadlineError"),
    "crash": (Status.INFRA_ERROR, "WorkerError"),
    "raise": (Status.INFRA_ERROR, "EnvError"),
    "wrong type": (Status.INFRA_ERROR, "EnvError"),
    "fail to score": (Status.SCORE_ERROR, "ScoreError"),
}


def play(*members: tuple[str, ...]) -> Group:
    """A group of the first task whose members say these lines."""
    engine = ScriptedEngine(
        {(0, member): lines for member, lines in enumerate(members)},
        encode=lambda text: (*utf8(text), ByteTemplate.end_id),
    )
    agent = Agent(
        engine=engine, renderer=Renderer(ByteTemplate()), context=4096, max_turn_tokens=64
    )
    start = Start(
        id=EpisodeId(step=0, group=0, member=0),
        task=PANEL.tasks[0],
        panel_hash=PANEL.hash,
        env=ENV_ID,
        seed=0,
    )

    async def run() -> Group:
        async with ProcessPool(ENV_ID, num_workers=4, deadlines=Deadlines(step_s=1)) as pool:
            return await play_group(pool, agent, start, size=len(members))

    return asyncio.run(run())


@pytest.fixture(scope="module")
def sound_group() -> Group:
    """Four members, none of them faulty: two succeed, two fail."""
    return play(*SOUND)


@pytest.fixture(scope="module")
def mixed_group() -> Group:
    """The same four, each fault between them."""
    faulty = [("run cat note", fault) for fault in ERRORS]
    return play(SOUND[0], *faulty[:2], SOUND[1], *faulty[2:], *SOUND[2:])


def test_each_fault_is_an_error_of_its_own_episode(mixed_group: Group) -> None:
    assert {*ERRORS} == {*FAULTS, "fail to score"}
    lost = [episode for episode in mixed_group.episodes if not episode.valid]
    assert len(lost) == len(ERRORS)
    for episode, (status, error) in zip(lost, ERRORS.values(), strict=True):
        assert episode.error is not None
        assert (episode.status, episode.error.type) == (status, error)
        assert (episode.score, episode.success) == (None, None)
        assert len(episode.error.message) < 2100


def test_the_siblings_play_as_without_the_faults(sound_group: Group, mixed_group: Group) -> None:
    def told(group: Group) -> list[object]:
        return [
            (
                episode.status,
                episode.score,
                episode.first,
                [(turn.text, turn.observation, turn.prompt_ids) for turn in episode.turns],
            )
            for episode in group.valid
        ]

    assert told(mixed_group) == told(sound_group)
    assert [episode.score for episode in sound_group.episodes] == [1.0, 0.0, 1.0, 0.0]


@pytest.mark.parametrize("scheme", ["grpo", "rloo", "salt"])
def test_the_siblings_advantages_are_those_of_the_group_without_the_faults(
    sound_group: Group, mixed_group: Group, scheme: str
) -> None:
    credit = credits.make(scheme)
    alone = credit(combine([sound_group], {})).advantages
    beside = credit(combine([mixed_group], {})).advantages
    assert beside == alone
    assert any(value != 0 for member in alone[0] for value in member)

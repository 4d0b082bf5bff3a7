"""The scripted engine: replays what it is given."""

from __future__ import annotations

import asyncio

import pytest

from agentgym.engine import Generation, Request
from agentgym.errors import EngineError
from agentgym.trainers.engines.scripted import ScriptedEngine
from agentgym.types import EpisodeId


def request(*, group: int = 0, member: int = 0, turn: int = 0) -> Request:
    episode = EpisodeId(step=0, group=group, member=member)
    return Request(episode=episode, turn=turn, ids=(1,), messages=(), seed=0, max_tokens=4)


def test_a_mapping_answers_by_group_member_and_turn() -> None:
    engine = ScriptedEngine({(0, 1): ["look", "go on"]})
    said = asyncio.run(engine.generate(request(member=1, turn=1)))
    assert said == Generation(ids=tuple(b"go on"), logprobs=(0.0,) * 5, finish="stop")


def test_a_callable_sees_the_request() -> None:
    engine = ScriptedEngine(lambda asked: f"turn {asked.turn}", encode=lambda text: [len(text), 9])
    said = asyncio.run(engine.generate(request(turn=12)))
    assert said == Generation(ids=(7, 9), logprobs=(0.0, 0.0), finish="stop")


def test_a_whole_generation_is_passed_on() -> None:
    cut = Generation(ids=(5,), logprobs=(-1.5,), finish="length")
    engine = ScriptedEngine({(0, 0): [cut]})
    assert asyncio.run(engine.generate(request())) is cut


def test_every_string_can_be_said() -> None:
    engine = ScriptedEngine({(0, 0): ["\ud800 caf\u00e9"]})
    said = asyncio.run(engine.generate(request()))
    assert bytes(said.ids).decode("utf-8", "surrogatepass") == "\ud800 caf\u00e9"


@pytest.mark.parametrize("asked", [request(turn=1), request(member=5)])
def test_a_script_without_an_answer_is_an_engine_error(asked: Request) -> None:
    engine = ScriptedEngine({(0, 0): ["look"]})
    with pytest.raises(EngineError, match="has no turn"):
        asyncio.run(engine.generate(asked))


def test_a_released_episode_can_still_be_asked() -> None:
    engine = ScriptedEngine({(0, 0): ["look"]})
    engine.release(request().episode)
    engine.release(EpisodeId(step=0, group=3, member=1))
    assert bytes(asyncio.run(engine.generate(request())).ids) == b"look"

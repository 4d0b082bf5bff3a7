"""The pool of keys and values: where it is full, episodes are read again, to the same end."""

from __future__ import annotations

import asyncio

import pytest
from engine_play import ask, forward_sizes, max_gap, play_all, said
from tiny_models import tiny_policy

from agentgym.engine import Generation
from agentgym.errors import UsageError
from agentgym.meter import Meter
from agentgym.trainers.engines.local import LocalEngine
from agentgym.trainers.engines.naive import NaiveEngine


@pytest.mark.parametrize("kv_tokens", [256, 700])
def test_a_small_pool_makes_episodes_read_again_and_say_the_same(kv_tokens: int) -> None:
    policy = tiny_policy()
    with forward_sizes(policy) as sizes:
        free = play_all(LocalEngine(policy), turns=7)
    meter = Meter()
    with forward_sizes(policy) as sizes_tight:
        tight = play_all(LocalEngine(policy, kv_tokens=kv_tokens, meter=meter), turns=7)
    assert said(tight) == said(free)
    assert max_gap(tight, free) < 1e-4
    counts = meter.read().counts
    assert counts["evictions"] > 3
    assert counts["tokens/reread"] == sum(sizes_tight) - sum(sizes) > 0


def test_an_episode_that_is_with_its_environment_gives_way_to_one_that_waits() -> None:
    policy = tiny_policy()
    meter = Meter()
    engine = LocalEngine(policy, max_episodes=1, meter=meter)

    async def alternate() -> list[Generation]:
        made = []
        for turn in range(2):
            for number in (1, 2):
                made.append(await engine.generate(ask(number, range(10 + turn), turn=turn)))
        return made

    naive = NaiveEngine(policy)
    requests = [ask(number, range(10 + turn), turn=turn) for turn in (0, 1) for number in (1, 2)]
    made = asyncio.run(alternate())
    assert [g.ids for g in made] == [asyncio.run(naive.generate(r)).ids for r in requests]
    assert meter.read().counts["evictions"] == 3


def test_a_pool_that_cannot_hold_one_episode_is_refused() -> None:
    with pytest.raises(UsageError, match="255 tokens are fewer than one episode may have, 256"):
        LocalEngine(tiny_policy(), kv_tokens=255)

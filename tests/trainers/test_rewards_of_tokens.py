"""Channels that ask nothing: the price of an overlong episode, and of an invalid action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from pydantic import ValidationError
from scored import episode, group, scored, turn

from agentgym.registry import rewards
from agentgym.trainers.rewards import Reward
from agentgym.trainers.rewards.combine import Channel
from agentgym.trainers.rewards.overlong import Overlong
from agentgym.types import Episode, Group, Task

TASK = Task(id="t", split="s", seed=0, secret={})


def spoken(sizes: Sequence[int], score: float = 0.0) -> Episode:
    """An episode whose turns have so many sampled tokens."""
    return episode([turn("go", f"o{k}", num_tokens=n) for k, n in enumerate(sizes)], score)


# (16384 - length) / 4096, no lower than -1 and no higher than 0.
@pytest.mark.parametrize(
    ("sizes", "price"),
    [
        ([1], 0.0),
        ([16384], 0.0),
        ([10000, 6385], -1 / 4096),
        ([10000, 8000, 432], -0.5),
        ([20480], -1.0),
        ([20000, 20000], -1.0),
    ],
)
def test_the_last_tokens_before_the_limit_cost(sizes: list[int], price: float) -> None:
    channel: Reward = rewards.make("overlong")
    played = spoken(sizes)
    assert channel.asks(played, TASK) == ()
    *before, last = channel.score(played, TASK, [])
    assert before == [None] * (len(sizes) - 1)
    assert last == pytest.approx(price, abs=1e-12)


def test_an_episode_without_a_turn_costs_nothing() -> None:
    assert Overlong().score(spoken([]), TASK, []) == ()


def test_a_buffer_longer_than_the_limit_is_refused() -> None:
    with pytest.raises(ValidationError, match="buffer 9 is longer than limit 8"):
        Overlong(limit=8, buffer=9)


def filled(name: str, reward: Reward, members: Sequence[Episode]) -> Group:
    """A group with the channel in its turns."""
    done = []
    for member in members:
        values = reward.score(member, TASK, [])
        turns = [
            replace(t, channels={name: value})
            for t, value in zip(member.turns, values, strict=True)
        ]
        done.append(replace(member, turns=tuple(turns)))
    return group(*done)


def test_prices_reach_the_outcome_once_and_leave_the_score_alone() -> None:
    played = filled(
        "overlong", Overlong(limit=10, buffer=4), [spoken([2, 6], 1.0), spoken([2, 4], 1.0)]
    )
    (found,) = scored(played, channels={"overlong": Channel(into="outcome")})
    assert [member.outcome for member in found.members] == [0.5, 1.0]
    assert [member.episode.score for member in found.members] == [1.0, 1.0]


def test_an_invalid_action_costs_its_turn_and_its_episode_what_gigpos_code_takes() -> None:
    """-0.1 on that row's score and on its step reward."""
    bad = episode([turn("go", "x", reward=1.0), turn(None, "x"), turn(None, "x")], 1.0)
    played = filled("invalid_action", rewards.make("invalid_action"), [bad])
    for into, outcome, turns in (("outcome", 0.8, (1, 0, 0)), ("turn", 1.0, (1, -0.1, -0.1))):
        channel = Channel.model_validate({"weight": -0.1, "into": into})
        ((member,),) = (g.members for g in scored(played, channels={"invalid_action": channel}))
        assert member.outcome == pytest.approx(outcome)
        assert member.turn_rewards == pytest.approx(turns)

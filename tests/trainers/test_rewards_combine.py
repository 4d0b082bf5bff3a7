"""Channels into outcomes and turn rewards, and the channels a credit scheme would not read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from scored import episode, gained, group, scored

from agentgym import UsageError
from agentgym.errors import EnvError
from agentgym.registry import credits
from agentgym.trainers.rewards.combine import Channel, check_channels
from agentgym.types import Episode, Status

GAIN = "information_gain"


def with_channel(values: list[float | None], name: str) -> Episode:
    played = episode(gained(values), 0.5)
    turns = tuple(
        replace(turn, reward=1.0, channels={name: value})
        for turn, value in zip(played.turns, values, strict=True)
    )
    return replace(played, turns=turns)


def test_without_channels_the_outcome_is_the_score_and_the_turn_rewards_are_raw() -> None:
    ((member,),) = (g.members for g in scored(group(with_channel([3.0, None], "tool"))))
    assert (member.outcome, member.turn_rewards) == (0.5, (1.0, 1.0))


def test_a_channel_goes_where_it_is_sent_with_its_weight() -> None:
    played = group(with_channel([3.0, None, -1.0], "tool"))
    (into_outcome,) = scored(played, channels={"tool": Channel(weight=0.5, into="outcome")})
    (into_turns,) = scored(played, channels={"tool": Channel(weight=0.5, into="turn")})
    assert into_outcome.members[0].outcome == 0.5 + 0.5 * (3.0 - 1.0)
    assert into_outcome.members[0].turn_rewards == (1.0, 1.0, 1.0)
    assert into_turns.members[0].outcome == 0.5
    assert into_turns.members[0].turn_rewards == (2.5, 1.0, 0.5)


def test_a_channel_read_by_name_is_mixed_into_nothing() -> None:
    played = group(with_channel([3.0, None], GAIN))
    assert scored(played, channels={GAIN: Channel()}) == scored(played)


def test_only_valid_members_are_scored_and_every_group_keeps_its_place() -> None:
    good, bad = with_channel([1.0], "tool"), replace(episode((), None), status=Status.INFRA_ERROR)
    groups = scored(group(bad), group(bad, good, bad))
    assert [len(g.members) for g in groups] == [0, 1]
    assert groups[1].members[0].episode.id.member == 1


def test_an_episode_recorded_without_the_channel_is_named() -> None:
    with pytest.raises(UsageError, match="member=0/turn=1 has no channel 'judge'"):
        scored(group(with_channel([1.0], "tool")), channels={"judge": Channel(into="turn")})


@pytest.mark.parametrize("channel", [Channel(), Channel(into="turn")])
def test_a_channel_that_is_not_finite_is_named(channel: Channel) -> None:
    with pytest.raises(UsageError, match="turn=2: channel 'tool' is nan"):
        scored(group(with_channel([1.0, float("nan")], "tool")), channels={"tool": channel})


def test_a_score_that_is_not_finite_is_an_environments_fault() -> None:
    with pytest.raises(EnvError, match="outcome inf .* must be finite"):
        scored(group(episode(gained([None]), float("inf"))))


@pytest.mark.parametrize(
    ("scheme", "channels"),
    [
        ("grpo", {}),
        ("salt", {"judge": Channel(weight=2.0, into="outcome")}),
        ("igpo", {GAIN: Channel(), "judge": Channel(into="outcome")}),
        ("turn_gae", {"tool": Channel(into="turn")}),
        ("reinforce_pp", {}),
    ],
)
def test_channels_that_the_scheme_reads_pass(scheme: str, channels: Mapping[str, Channel]) -> None:
    check_channels(channels, credits.make(scheme))


@pytest.mark.parametrize(
    ("scheme", "channels", "message"),
    [
        ("grpo", {"tool": Channel(into="turn")}, "'tool': it goes into 'turn', which .* Grpo"),
        ("salt", {GAIN: Channel()}, "Salt does not read it by name .*set `into`"),
        ("igpo", {}, "Igpo reads channel 'information_gain', which is not configured"),
        ("igpo", {GAIN: Channel(into="outcome")}, "reads it by name, unmixed; leave out"),
        ("turn_gae", {"values": Channel()}, "'values': credit scheme TurnGae does not read it by"),
        ("reinforce_pp", {"batch": Channel()}, "'batch': .*does not read it by name"),
        ("igpo", {GAIN: Channel(weight=0.1)}, "reads it by name, unmixed; leave out"),
    ],
)
def test_channels_that_the_scheme_does_not_read_are_refused(
    scheme: str, channels: Mapping[str, Channel], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        check_channels(channels, credits.make(scheme))

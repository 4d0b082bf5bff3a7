"""Reward channels to one outcome an episode and one reward a turn. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat

from agentgym.errors import EnvError, UsageError
from agentgym.trainers.credit import WORDS, Credit
from agentgym.types import Episode, Group, Scored, ScoredGroup


class Channel(BaseModel):
    """Where a reward channel goes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: FiniteFloat = 1.0
    """Multiplies the channel where it is added."""
    into: Literal["outcome", "turn"] | None = None
    """The sum over turns into the outcome, or each value into its turn's reward. None: nowhere,
    the credit scheme reads the channel by its name, as it is."""


def check_channels(channels: Mapping[str, Channel], credit: Credit) -> None:
    """Hold the configured channels against what the credit scheme reads.

    Raises:
        UsageError: a channel would be silently ignored or counted twice, or one that the scheme
            reads by name is missing.
    """
    scheme = type(credit).__name__
    reads = ", ".join(sorted(credit.reads)) or "none"
    by_name = credit.reads - WORDS
    for name, channel in channels.items():
        if name in by_name:
            if channel != Channel():
                raise UsageError(
                    f"channel '{name}': credit scheme {scheme} reads it by name, unmixed; "
                    "leave out `into` and `weight`"
                )
        elif channel.into is None:
            raise UsageError(
                f"channel '{name}': credit scheme {scheme} does not read it by name (it reads "
                f"{reads}); set `into`"
            )
        elif channel.into not in credit.reads:
            raise UsageError(
                f"channel '{name}': it goes into '{channel.into}', which credit scheme {scheme} "
                f"does not read (it reads {reads})"
            )
    for name in sorted(by_name - set(channels)):
        raise UsageError(f"credit scheme {scheme} reads channel '{name}', which is not configured")


def combine(groups: Sequence[Group], channels: Mapping[str, Channel]) -> tuple[ScoredGroup, ...]:
    """The valid members of each group with their outcome and turn rewards, parallel to `groups`.

    Raises:
        UsageError: an episode was recorded without a configured channel, or with a value in it
            that is not finite.
        EnvError: a score or a turn's reward is not finite; one such number would poison the
            advantages of the whole group.
    """
    return tuple(
        ScoredGroup(
            task_id=group.task_id,
            members=tuple(_scored(episode, channels) for episode in group.valid),
        )
        for group in groups
    )


def _scored(episode: Episode, channels: Mapping[str, Channel]) -> Scored:
    assert episode.score is not None, f"{episode.id} is valid but has no score"
    outcome = episode.score
    turn_rewards = [turn.reward for turn in episode.turns]
    for name, channel in channels.items():
        values = [channel.weight * value for value in _values(episode, name)]
        if channel.into == "outcome":
            outcome += sum(values)
        elif channel.into == "turn":
            turn_rewards = [a + b for a, b in zip(turn_rewards, values, strict=True)]
    if not all(map(math.isfinite, (outcome, *turn_rewards))):
        raise EnvError(
            f"{episode.id}: outcome {outcome} and turn rewards {turn_rewards} must be finite"
        )
    return Scored(episode=episode, outcome=outcome, turn_rewards=tuple(turn_rewards))


def _values(episode: Episode, name: str) -> list[float]:
    """The channel turn by turn; 0 where it has nothing to say."""
    values: list[float] = []
    for number, turn in enumerate(episode.turns, start=1):
        if name not in turn.channels:
            raise UsageError(f"{episode.id}/turn={number} has no channel '{name}'")
        value = turn.channels[name] or 0.0
        if not math.isfinite(value):
            raise UsageError(f"{episode.id}/turn={number}: channel '{name}' is {value}")
        values.append(value)
    return values

"""Small groups of episodes, written by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agentgym.trainers.rewards.combine import Channel, combine
from agentgym.types import (
    Episode,
    EpisodeId,
    Finish,
    Group,
    Observation,
    ScoredGroup,
    Status,
    Turn,
)


def turn(
    action: str | None,
    key: str,
    *,
    finish: Finish = "stop",
    gain: float | None = None,
    reward: float = 0.0,
    values: Sequence[float] | None = None,
    num_tokens: int = 1,
) -> Turn:
    """A turn that did `action` and saw `key`; without an action it is invalid ("no action").

    Args:
        values: a critic's; their number is the number of sampled tokens.
    """
    size = num_tokens if values is None else len(values)
    return Turn(
        segment=0,
        prompt_ids=(1,),
        action_ids=(2,) * size,
        logprobs=(-0.5,) * size,
        finish=finish,
        text=action or "",
        action=action,
        invalid="no action" if action is None else None,
        observation=Observation(text=f"seen: {key}", key=key),
        reward=reward,
        channels={"information_gain": gain},
        values=None if values is None else tuple(values),
    )


def turns(steps: str) -> tuple[Turn, ...]:
    """Turns from "action->key, action->key"."""
    pairs = [step.split("->") for step in steps.split(", ")]
    return tuple(turn(action, key) for action, key in pairs)


def gained(gains: Sequence[float | None]) -> tuple[Turn, ...]:
    """Turns that differ from each other, with these information gains."""
    return tuple(turn(f"a{k}", f"o{k}", gain=gain) for k, gain in enumerate(gains))


def rewarded(rewards: Sequence[float]) -> tuple[Turn, ...]:
    """Turns that differ from each other, with these rewards."""
    return tuple(turn(f"a{k}", f"o{k}", reward=reward) for k, reward in enumerate(rewards))


def episode(turns: Sequence[Turn], score: float | None, *, first: str = "start") -> Episode:
    """A valid episode, or one whose machinery failed when it has no score."""
    return Episode(
        id=EpisodeId(step=0, group=0, member=0),
        task_id="task",
        panel_hash="hash",
        env="agentgym/Test-v0",
        seed=0,
        system_prompt="",
        first=Observation(text=first, key=first),
        turns=tuple(turns),
        status=Status.INFRA_ERROR if score is None else Status.FAILURE,
        score=score,
        success=None if score is None else False,
        policy_version=0,
    )


def ended(steps: str, score: float, *, reward: float | None = None) -> Episode:
    """An episode from "action->key, ..." that is won with a score of 1, and whose last turn earns
    `reward`, by default the score."""
    *before, last = turns(steps)
    paid = replace(last, reward=score if reward is None else reward)
    won = score == 1.0
    return replace(
        episode([*before, paid], score),
        status=Status.SUCCESS if won else Status.FAILURE,
        success=won,
    )


def group(*episodes: Episode) -> Group:
    """A group of these members, numbered."""
    numbered = (
        replace(member, id=replace(member.id, member=number))
        for number, member in enumerate(episodes)
    )
    return Group(task_id="task", episodes=tuple(numbered))


def scored(*groups: Group, channels: Mapping[str, Channel] | None = None) -> list[ScoredGroup]:
    """The groups as credit sees them."""
    return list(combine(groups, channels or {}))

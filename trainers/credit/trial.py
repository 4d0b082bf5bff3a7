"""A credit scheme tried on short episodes, to know before a run what it gives."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from agentgym.trainers.credit import WORDS, Credit
from agentgym.trainers.credit.layout import NEGLIGIBLE
from agentgym.types import Episode, EpisodeId, Observation, Scored, ScoredGroup, Status, Turn


def tells_turns_apart(credit: Credit) -> bool:
    """Whether the scheme gives turns or tokens of one episode different advantages.

    The two episodes begin alike and part in their second turn, after which one has won; rewards,
    values and every channel that the scheme reads differ from turn to turn. A scheme that finds
    nothing to tell apart in them may yet find it in others.
    """
    members = tuple(_member(number, credit.reads - WORDS) for number in (0, 1))
    credited = credit([ScoredGroup(task_id="trial", members=members)])
    (rows,) = credited.advantages
    if credited.token_advantages is not None:
        rows = tuple(tuple(chain.from_iterable(row)) for row in credited.token_advantages[0])
    return any(len(set(row)) > 1 for row in rows)


def learns_from_one(credit: Credit) -> bool:
    """Whether the scheme gives an advantage to an episode that has no siblings.

    Two groups of one episode each are tried, a won one and a lost one, that come back to where
    they began before they part.
    """
    channels = credit.reads - WORDS
    groups = []
    for number, ways in enumerate((("a", "back", "b"), ("c", "back", "d"))):
        alone = _member(number, channels)
        turns = tuple(
            _turn(way, channels, value, shows="start" if way == "back" else "")
            for way, value in zip(ways, (0.25, -0.5, 1.0 - number), strict=True)
        )
        member = replace(
            alone,
            episode=replace(alone.episode, turns=turns),
            turn_rewards=tuple(turn.reward for turn in turns),
        )
        groups.append(ScoredGroup(task_id=f"trial {number}", members=(member,)))
    credited = credit(groups)
    rows = chain.from_iterable(credited.advantages)
    return any(abs(advantage) > NEGLIGIBLE for row in rows for advantage in row)


def _member(number: int, channels: frozenset[str]) -> Scored:
    won = number == 0
    values = (0.25, 1.0) if won else (0.75, -0.5)
    turns = (_turn("a", channels, values[0]), _turn(f"b{number}", channels, values[1]))
    episode = Episode(
        id=EpisodeId(step=0, group=0, member=number),
        task_id="trial",
        panel_hash="",
        env="",
        seed=0,
        system_prompt="",
        first=Observation(text="start"),
        turns=turns,
        status=Status.SUCCESS if won else Status.FAILURE,
        score=float(won),
        success=won,
        policy_version=0,
    )
    rewards = tuple(turn.reward for turn in turns)
    return Scored(episode=episode, outcome=float(won), turn_rewards=rewards)


def _turn(action: str, channels: frozenset[str], value: float, *, shows: str = "") -> Turn:
    return Turn(
        segment=0,
        prompt_ids=(0,),
        action_ids=(1, 2),
        logprobs=(-1.0, -1.0),
        finish="stop",
        text=action,
        action=action,
        invalid=None,
        observation=Observation(text=shows or f"after {action}"),
        reward=value,
        channels=dict.fromkeys(channels, value),
        values=(value / 2, value / 4),
    )

"""A credit scheme tried on two short episodes, to know before a run what it gives."""

from __future__ import annotations

from itertools import chain

from agentgym.trainers.credit import WORDS, Credit
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


def _turn(action: str, channels: frozenset[str], value: float) -> Turn:
    return Turn(
        segment=0,
        prompt_ids=(0,),
        action_ids=(1, 2),
        logprobs=(-1.0, -1.0),
        finish="stop",
        text=action,
        action=action,
        invalid=None,
        observation=Observation(text=f"after {action}"),
        reward=value,
        channels=dict.fromkeys(channels, value),
        values=(value / 2, value / 4),
    )

"""Reward channels, one file each: what a turn earned beyond what its environment paid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from agentgym.types import Episode, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A continuation the policy did not write, and the part of it whose logprobs are wanted.

    The whole text is encoded at once. A token is scored when at least one of its characters lies
    in `scored`, so one that straddles the border counts.
    """

    prefix: str = ""
    """Leads to the scored part, as the policy would write it."""
    scored: str
    suffix: str = ""
    """Follows it. Changes nothing but how the end of the scored part is cut into tokens."""

    @property
    def text(self) -> str:
        """All of it."""
        return self.prefix + self.scored + self.suffix

    @property
    def span(self) -> tuple[int, int]:
        """Where `scored` begins and ends in `text`, in characters."""
        return len(self.prefix), len(self.prefix) + len(self.scored)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """How likely are these texts to the policy, in the state after a turn?

    The state after turn k (counted from 1) is all that the policy saw when it began turn k + 1:
    the tokens up to the end of that turn's `prompt_ids`, in that turn's segment. Turn 0 is the
    state before turn 1. There is no state after the last turn, since no prompt shows it.

    The texts may hold a task's secrets: they belong in no log and no stored episode.
    """

    turn: int
    """From 0 to K - 1 for an episode of K turns."""
    texts: tuple[Text, ...]
    frozen: bool = False
    """Ask the policy that the run began with, which no update changes, instead of this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to one question: teacher-forced, without gradient, at temperature 1."""

    logprobs: tuple[tuple[float, ...] | None, ...]
    """Parallel to the question's texts: the natural logprob of each scored token, in order; None
    where state and text together do not fit the model's context."""


class Reward(Protocol):
    """A reward channel. It asks, the trainer answers all questions of a step in one pass.

    One that asks the policy that the run began with says so by a property `asks_reference`, true,
    so that the trainer keeps it.
    """

    def asks(self, episode: Episode, task: Task) -> Sequence[Question]:
        """What must be known of this valid episode before it can be scored; often nothing.

        Raises:
            UsageError: the task lacks what this channel needs.
        """
        ...

    def score(
        self, episode: Episode, task: Task, answers: Sequence[Answer]
    ) -> tuple[float | None, ...]:
        """The channel's value for every turn; None where it has nothing to say.

        Args:
            answers: parallel to what `asks` returned for this episode.

        Returns:
            Parallel to `episode.turns`.
        """
        ...


@runtime_checkable
class ChecksTasks(Protocol):
    """What a channel may offer besides: to say before a run that a task will not do for it."""

    def check_task(self, task: Task) -> object:
        """Look at a task that the run may play.

        Raises:
            UsageError: the task lacks what this channel needs.
        """
        ...


@runtime_checkable
class Measures(Protocol):
    """What a channel may offer besides: numbers of its own for the step's metrics."""

    def measure(
        self, episode: Episode, task: Task, answers: Sequence[Answer]
    ) -> Mapping[str, float]:
        """Of one episode, from what `Reward.score` gets; means over episodes are kept.

        Returns:
            Empty where there is nothing to measure.
        """
        ...

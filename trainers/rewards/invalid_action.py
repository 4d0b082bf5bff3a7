"""Invalid actions as a reward channel: 1 for a turn that the environment could make nothing of."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from agentgym.trainers.rewards import Answer, Question
from agentgym.types import Episode, Task


class InvalidAction(BaseModel):
    """Counts a turn whose text was no action; give it a negative weight to make that cost.

    Source: GiGPO's training code pays -0.1 for such a turn (verl-agent, `gigpo`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    def asks(self, episode: Episode, task: Task) -> Sequence[Question]:
        """Nothing: the environment has said it already."""
        return ()

    def score(
        self, episode: Episode, task: Task, answers: Sequence[Answer]
    ) -> tuple[float | None, ...]:
        """1 for an invalid turn, 0 for a valid one."""
        return tuple(float(turn.invalid is not None) for turn in episode.turns)

"""Overlong episodes as a reward channel: a price on the last tokens before the limit."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agentgym.trainers.rewards import Answer, Question
from agentgym.types import Episode, Task


class Overlong(BaseModel):
    """DAPO's soft overlong punishment, to be added to the outcome: 0 up to `limit - buffer`
    sampled tokens, from there falling linearly to -1 at `limit`, and -1 beyond.

    An episode's tokens are those that the policy sampled, in all turns; its last turn has the
    whole price.

    Source: DAPO (2503.14476), "overlong reward shaping". Deviation: its sequence is one response,
    here an episode is one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(default=20480, ge=1)
    """Sampled tokens of an episode at which it costs 1; the paper's value is for one long
    response."""
    buffer: int = Field(default=4096, ge=1)
    """How many tokens before the limit the price begins."""

    @model_validator(mode="after")
    def _fits(self) -> Overlong:
        if self.buffer > self.limit:
            raise ValueError(f"buffer {self.buffer} is longer than limit {self.limit}")
        return self

    def asks(self, episode: Episode, task: Task) -> Sequence[Question]:
        """Nothing: the episode has its tokens."""
        return ()

    def score(
        self, episode: Episode, task: Task, answers: Sequence[Answer]
    ) -> tuple[float | None, ...]:
        """The price, at most 0, on the last turn; None on the others."""
        num_tokens = sum(len(turn.action_ids) for turn in episode.turns)
        over = num_tokens - (self.limit - self.buffer)
        price = -min(max(over / self.buffer, 0.0), 1.0)
        return tuple([None] * (len(episode.turns) - 1) + [price]) if episode.turns else ()

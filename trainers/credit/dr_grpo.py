"""Dr. GRPO: an episode's outcome less the mean of its group, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from agentgym.trainers.credit.grpo import Grpo
from agentgym.trainers.credit.layout import Layout, credited, outcomes
from agentgym.types import Credited, ScoredGroup


class DrGrpo(BaseModel):
    """`R - mean R` over the group's valid members, the same for every turn.

    Without a standard deviation, a group in which nearly all succeed or fail weighs no more than
    any other. The paper's other half is in the loss: `aggregation: seq-mean-token-sum-norm`, so
    that long episodes are not excused.

    Source: Liu et al., "Understanding R1-Zero-Like Training" (2503.20783).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    reads: ClassVar[frozenset[str]] = frozenset({"outcome"})

    min_spread: float = Field(default=1e-6, gt=0)
    """Outcomes closer than this are equal: above rounding, below any difference a task means."""

    def __call__(self, groups: Sequence[ScoredGroup]) -> Credited:
        """One advantage an episode, repeated for its turns."""
        layout = Layout.of(groups)
        centre = Grpo(std="none", min_spread=self.min_spread)
        advantages = centre.of_episodes(outcomes(groups), layout)
        return credited(layout, advantages[layout.turn_episode], {})

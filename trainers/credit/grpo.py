"""GRPO: an episode's outcome against the other members of its group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from agentgym.trainers.credit.layout import FloatArray, Layout, credited, outcomes
from agentgym.trainers.credit.normalize import Std, normalize
from agentgym.types import Credited, ScoredGroup


class Grpo(BaseModel):
    """`(R - mean R) / (std R + eps)` over the group's valid members, the same for every turn.

    Source: Shao et al., "DeepSeekMath" (2402.03300); `std="none"` is the advantage of Dr. GRPO
    (2503.20783). Deviation: a group without spread gives exactly 0, whatever `eps`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    reads: ClassVar[frozenset[str]] = frozenset({"outcome"})

    std: Std = "sample"
    """The paper does not say which; its common implementations take the sample's."""
    eps: float = Field(default=1e-6, ge=0)
    """Added to the divisor; the value of the common implementations."""
    min_spread: float = Field(default=1e-6, gt=0)
    """Outcomes closer than this are equal: above rounding, below any difference a task means."""

    def of_episodes(self, outcomes: FloatArray, layout: Layout) -> FloatArray:
        """The advantage of each episode, `[E]`."""
        return normalize(
            outcomes,
            layout.episode_group,
            num_pools=layout.num_groups,
            std=self.std,
            eps=self.eps,
            min_spread=self.min_spread,
        )

    def __call__(self, groups: Sequence[ScoredGroup]) -> Credited:
        """One advantage an episode, repeated for its turns."""
        layout = Layout.of(groups)
        advantages = self.of_episodes(outcomes(groups), layout)
        return credited(layout, advantages[layout.turn_episode], {})

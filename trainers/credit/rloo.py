"""RLOO: an episode's outcome against the mean of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agentgym.trainers.credit.layout import FloatArray, Layout, credited, outcomes
from agentgym.trainers.credit.normalize import normalize
from agentgym.types import Credited, ScoredGroup


class Rloo(BaseModel):
    """`R` less the mean of the other members' R, which is `N / (N - 1) (R - mean R)`.

    Source: Ahmadian et al., "Back to Basics" (2402.14740). Deviation: a group of one
    has no others and gives 0, not R.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    reads: ClassVar[frozenset[str]] = frozenset({"outcome"})

    min_spread: float = Field(default=1e-6, gt=0)
    """Outcomes closer than this are equal: above rounding, below any difference a task means."""

    def of_episodes(self, outcomes: FloatArray, layout: Layout) -> FloatArray:
        """The advantage of each episode, `[E]`."""
        group = layout.episode_group
        centred = normalize(
            outcomes,
            group,
            num_pools=layout.num_groups,
            std="none",
            eps=0.0,
            min_spread=self.min_spread,
        )
        size = layout.group_sizes[group]
        # A single member is centred to 0; its divisor only has to be no zero.
        return centred * size / np.maximum(size - 1, 1)

    def __call__(self, groups: Sequence[ScoredGroup]) -> Credited:
        """One advantage an episode, repeated for its turns."""
        layout = Layout.of(groups)
        advantages = self.of_episodes(outcomes(groups), layout)
        return credited(layout, advantages[layout.turn_episode], {})

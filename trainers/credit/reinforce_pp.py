"""REINFORCE++: an episode's outcome against all others of the train step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agentgym.trainers.credit.grpo import Grpo
from agentgym.trainers.credit.layout import FloatArray, Layout, credited, outcomes
from agentgym.trainers.credit.normalize import whiten
from agentgym.types import Credited, ScoredGroup


class ReinforcePp(BaseModel):
    """`(R - mean) / std` over the sampled tokens of all groups, the same for every turn.

    A token carries the outcome of its episode, so a long episode counts for more in mean and
    deviation. Tokens of the environment lie between the turns and take part in nothing: they
    neither count nor cut an earlier turn off from the outcome.

    Source: Hu et al., "REINFORCE++" (2501.03262), with discount 1; the deviation is
    the sample's, as in its common implementations. Deviations: the KL penalty is in the loss, not
    in the reward; and a step whose outcomes are all equal gives exactly 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    reads: ClassVar[frozenset[str]] = frozenset({"outcome", "batch"})

    eps: float = Field(default=1e-8, ge=0)
    """Added to the variance; the value of the common implementations."""
    min_spread: float = Field(default=1e-6, gt=0)
    """Outcomes closer than this are equal: above rounding, below any difference a task means."""

    def of_episodes(self, outcomes: FloatArray, layout: Layout) -> FloatArray:
        """What is whitened, `[E]`."""
        return outcomes

    def __call__(self, groups: Sequence[ScoredGroup]) -> Credited:
        """One advantage an episode, repeated for its turns."""
        layout = Layout.of(groups)
        values = self.of_episodes(outcomes(groups), layout)
        sizes = [
            sum(len(turn.action_ids) for turn in member.episode.turns)
            for group in groups
            for member in group.members
        ]
        weights = np.array(sizes, dtype=np.float64)
        advantages = whiten(values, weights, eps=self.eps, min_spread=self.min_spread)
        return credited(layout, advantages[layout.turn_episode], {})


class ReinforcePpBaseline(ReinforcePp):
    """REINFORCE++ of `R - mean R` over the group's valid members.

    A group whose outcomes are all equal is not exactly 0: its tokens lie where the batch's mean,
    weighted by length, puts them. That is how the paper has it.

    Source: "REINFORCE++" (2501.03262), the variant for several episodes a task. Deviation: a
    group of one gives 0 before whitening, not R.
    """

    def of_episodes(self, outcomes: FloatArray, layout: Layout) -> FloatArray:
        """Outcomes less their group's mean, `[E]`."""
        return Grpo(std="none", min_spread=self.min_spread).of_episodes(outcomes, layout)

"""MT-GRPO: a turn's own reward against the same turn of the others, added to the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from agentgym.trainers.credit.layout import (
    FloatArray,
    IntArray,
    Layout,
    credited,
    outcomes,
    turn_rewards,
)
from agentgym.trainers.credit.normalize import Std, normalize
from agentgym.types import Credited, ScoredGroup


class MtGrpo(BaseModel):
    """Turn k gets `A_outcome + turn_weight * A_turn`, the last turn `A_outcome` alone.

    `A_outcome` is GRPO's. `A_turn` is the turn's reward, normalised in the same way among the
    k-th turns of the group, last turns left out.

    Warning: rewards are normalised per turn index. The k-th turns of two episodes need not be
    alike, and where rewards are sparse an episode that goes on longer is compared with ever
    fewer others, so late turns are judged by what became of long episodes. The paper has two
    turns and no such case; with episodes of unequal length rather use `turn_gae` or `igpo`.

    Source: Zeng et al., "Reinforcing Multi-Turn Reasoning in LLM Agents via Turn-Level Reward
    Design" (2505.11821), the two-turn form of MT-GRPO carried to K turns. Deviation: a pool
    without spread, such as the only episode that reached a turn, gives exactly 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    reads: ClassVar[frozenset[str]] = frozenset({"outcome", "turn"})

    turn_weight: FiniteFloat = 1.0
    """The paper's lambda; 1 in its experiments."""
    std: Std = "sample"
    """The released code's."""
    eps: float = Field(default=1e-4, ge=0)
    """Added to the divisor; the released code's value."""
    min_spread: float = Field(default=1e-6, gt=0)
    """Values closer than this are equal: above rounding, below any difference a task means."""

    def _normalize(self, values: FloatArray, pool: IntArray, num_pools: int) -> FloatArray:
        return normalize(
            values,
            pool,
            num_pools=num_pools,
            std=self.std,
            eps=self.eps,
            min_spread=self.min_spread,
        )

    def __call__(self, groups: Sequence[ScoredGroup]) -> Credited:
        """One advantage a turn."""
        layout = Layout.of(groups)
        outcome = self._normalize(outcomes(groups), layout.episode_group, layout.num_groups)
        pool = layout.index_pool
        early = ~layout.is_last
        own = np.zeros(len(pool))
        own[early] = self._normalize(
            turn_rewards(groups)[early], pool[early], int(pool.max(initial=-1)) + 1
        )
        return credited(layout, outcome[layout.turn_episode] + self.turn_weight * own, {})

"""A2TGPO: information gain against the same turn of the others, beside the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from agentgym.trainers.credit.igpo import GAIN, describe, gains, returns
from agentgym.trainers.credit.layout import Layout, credited, nest_turns, outcomes
from agentgym.trainers.credit.normalize import normalize
from agentgym.types import Credited, ScoredGroup


class A2tgpo(BaseModel):
    """Turn t gets `alpha * D_t` and the episode's normalised outcome, the last turn that alone.

    `D_t` is the discounted sum of the normalised gains from turn t on, over the square root of
    how many they are, so that an early turn's is no larger for having more behind it.

    Warning: gains are normalised per turn index. The k-th turns of two episodes need not be
    alike; as episodes end, ever fewer are compared, and with two members every gain becomes plus
    or minus the same number, however large both were.

    Source: the released code of "A2TGPO" (2605.06200), mode `turn-group-v1d`, as described by
    others: the paper could not be read. Deviations: turns are counted, not found again as changes
    of the advantage, so neighbours with equal advantages stay two; the only member at a turn index
    gets exactly 0. The clipping range that follows a turn's gain is for loss `a2tgpo` to apply.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    reads: ClassVar[frozenset[str]] = frozenset({"outcome", GAIN})

    alpha: FiniteFloat = 0.3
    """Weight of the gains; fixed in the released code."""
    gamma: float = Field(default=1.0, ge=0, le=1)
    """Discount per turn."""
    clip_width: float = Field(default=0.3, ge=0, lt=1)
    """How far a turn's clip scale, `1 + clip_width (2 sigmoid(z) - 1)` with z its normalised gain,
    can be from 1; 0.3 in the released code. A turn without a gain, as the last, has 1."""
    eps: float = Field(default=1e-6, ge=0)
    """Added to the divisor."""
    min_spread: float = Field(default=1e-4, gt=0)
    """A pool whose values are closer than this gives 0, as in `Igpo`."""

    def __call__(self, groups: Sequence[ScoredGroup]) -> Credited:
        """One advantage and one clip scale a turn; metrics as `Igpo`."""
        layout = Layout.of(groups)
        all_gains = gains(groups)
        known = ~np.isnan(all_gains)
        pool = layout.index_pool
        scores = np.zeros(len(all_gains))
        scores[known] = normalize(
            all_gains[known],
            pool[known],
            num_pools=int(pool.max(initial=-1)) + 1,
            std="sample",
            eps=self.eps,
            min_spread=self.min_spread,
        )
        outcome = normalize(
            outcomes(groups),
            layout.episode_group,
            num_pools=layout.num_groups,
            std="sample",
            eps=self.eps,
            min_spread=self.min_spread,
        )
        num_terms = returns(known.astype(np.float64), layout, gamma=1.0)
        sums = returns(scores, layout, gamma=self.gamma) / np.sqrt(np.maximum(num_terms, 1))
        advantages = outcome[layout.turn_episode] + self.alpha * sums
        # tanh(z / 2) is 2 sigmoid(z) - 1, and does not overflow.
        scales = 1 + self.clip_width * np.tanh(scores / 2)
        return replace(
            credited(layout, advantages, describe(all_gains)),
            clip_scales=nest_turns(scales, layout),
        )

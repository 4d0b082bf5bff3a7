"""IGPO: each turn's information gain and the last turn's outcome, normalised, then summed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agentgym.trainers.credit.layout import (
    FloatArray,
    IntArray,
    Layout,
    credited,
    outcomes,
    share,
)
from agentgym.trainers.credit.normalize import normalize
from agentgym.types import Credited, ScoredGroup

GAIN = "information_gain"
"""The channel that it reads, unmixed: a gain for every turn but the last."""


class Igpo(BaseModel):
    """Turn k gets `sum over j >= k of gamma^(j - k) z_j`, to the end of its episode.

    `z_j` is the information gain of turn j, normalised among all gains of the group (members and
    turns together), and on the last turn the outcome, normalised among the outcomes. A turn
    without a gain adds 0 and still counts for the discount. In a group of one the gains are still
    compared, with each other.

    Source: "IGPO" (2510.14967), ICLR version, and the released code's normaliser. Deviations: the
    turns are counted, not found again as non-zero rewards, so a gain equal to the mean keeps its
    turn; and a pool without spread gives exactly 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    reads: ClassVar[frozenset[str]] = frozenset({"outcome", GAIN})

    norm: Literal["separate", "joint"] = "separate"
    """Gains and outcomes in a pool each, or all in one (the preprint's way)."""
    std: Literal["population", "none"] = "population"
    """Whether a pool is divided by its standard deviation; the released code's is over n."""
    gamma: float = Field(default=1.0, ge=0, le=1)
    """Discount per turn; 1 in the paper."""
    eps: float = Field(default=1e-6, ge=0)
    """Added to the divisor; the released code's value."""
    min_spread: float = Field(default=1e-4, gt=0)
    """A pool whose values are closer than this gives 0. The released code has the number as a
    floor under the deviation, which enlarges rounding noise up to 10,000 times."""

    def _normalize(self, values: FloatArray, group: IntArray, num_groups: int) -> FloatArray:
        return normalize(
            values,
            group,
            num_pools=num_groups,
            std=self.std,
            eps=self.eps,
            min_spread=self.min_spread,
        )

    def __call__(self, groups: Sequence[ScoredGroup]) -> Credited:
        """One advantage a turn.

        The metrics `igpo/gain_mean` and `igpo/gain_std` are of the raw gains of the batch;
        `igpo/gain_share` is the share of turns that have one.
        """
        layout = Layout.of(groups)
        all_gains = gains(groups)
        known = ~np.isnan(all_gains)
        raw, turn_group = all_gains[known], layout.turn_group[known]
        values = np.concatenate([raw, outcomes(groups)])
        group = np.concatenate([turn_group, layout.episode_group])
        if self.norm == "joint":
            scores = self._normalize(values, group, layout.num_groups)
        else:
            is_outcome = np.arange(len(values)) >= len(raw)
            pool = 2 * group + is_outcome
            scores = self._normalize(values, pool, 2 * layout.num_groups)
        rewards = np.zeros(len(all_gains))
        rewards[known] = scores[: len(raw)]
        acted = layout.num_turns > 0
        rewards[(layout.starts + layout.num_turns - 1)[acted]] += scores[len(raw) :][acted]
        metrics = {
            "igpo/gain_mean": float(raw.mean()) if raw.size else 0.0,
            "igpo/gain_std": float(raw.std()) if raw.size else 0.0,
            "igpo/gain_share": share(known),
        }
        return credited(layout, returns(rewards, layout, gamma=self.gamma), metrics)


def gains(groups: Sequence[ScoredGroup]) -> FloatArray:
    """The information gain of every turn, `[S]`; NaN for a turn that has none."""
    values = [
        turn.channels.get(GAIN)
        for group in groups
        for member in group.members
        for turn in member.episode.turns
    ]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def returns(rewards: FloatArray, layout: Layout, *, gamma: float) -> FloatArray:
    """The discounted sum from each turn to the end of its episode, `[S]`."""
    totals = rewards.copy()
    for index in range(int(layout.num_turns.max(initial=0)) - 2, -1, -1):
        here = layout.starts[layout.num_turns > index + 1] + index
        totals[here] += gamma * totals[here + 1]
    return totals

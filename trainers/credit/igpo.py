"""IGPO: each turn's information gain and the last turn's outcome, normalised, then summed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from agentgym.trainers.credit.layout import (
    FloatArray,
    IntArray,
    Layout,
    credited,
    outcomes,
    share,
)
from agentgym.trainers.credit.normalize import Std, normalize
from agentgym.types import Credited, ScoredGroup

GAIN = "information_gain"
"""The channel that it reads, unmixed: a gain for every turn but the last."""
Ramp: TypeAlias = tuple[FiniteFloat, FiniteFloat]
"""A weight at the run's first train step and from `ramp_steps` on; between them it is linear."""


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
    std: Std = "population"
    """What a pool is divided by; the released code's deviation is over n."""
    gamma: float = Field(default=1.0, ge=0, le=1)
    """Discount per turn; 1 in the paper."""
    eps: float = Field(default=1e-6, ge=0)
    """Added to the divisor; the released code's value."""
    min_spread: float = Field(default=1e-4, gt=0)
    """A pool whose values are closer than this gives 0. The released code has the number as a
    floor under the deviation, which enlarges rounding noise up to 10,000 times."""
    clip: float | None = Field(default=None, gt=0)
    """Gains beyond this, up or down, count as this much: before they are normalised."""
    gain_weight: Ramp = (1.0, 1.0)
    """Of the normalised gains. (A weight before normalising would be divided out again.) The
    released code can ramp it from 1 to 0.5 and the outcome's from 0.5 to 1; off by default."""
    outcome_weight: Ramp = (1.0, 1.0)
    """Of the normalised outcomes."""
    ramp_steps: int = Field(default=1, ge=1)
    """Train steps until the weights' last values hold."""

    def _weight(self, ramp: Ramp, steps: IntArray) -> FloatArray:
        first, last = ramp
        return np.asarray(first + (last - first) * np.minimum(steps / self.ramp_steps, 1.0))

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

        See `describe` for the metrics.
        """
        layout = Layout.of(groups)
        all_gains = gains(groups)
        known = ~np.isnan(all_gains)
        raw, turn_group = all_gains[known], layout.turn_group[known]
        clipped = raw if self.clip is None else np.clip(raw, -self.clip, self.clip)
        values = np.concatenate([clipped, outcomes(groups)])
        group = np.concatenate([turn_group, layout.episode_group])
        if self.norm == "joint":
            scores = self._normalize(values, group, layout.num_groups)
        else:
            is_outcome = np.arange(len(values)) >= len(raw)
            pool = 2 * group + is_outcome
            scores = self._normalize(values, pool, 2 * layout.num_groups)
        steps = train_steps(groups)
        of_gains = self._weight(self.gain_weight, steps)[layout.turn_episode]
        of_outcomes = self._weight(self.outcome_weight, steps)
        rewards = np.zeros(len(all_gains))
        rewards[known] = scores[: len(raw)] * of_gains[known]
        last = layout.is_last
        outcome = scores[len(raw) :] * of_outcomes
        rewards[last] += outcome[layout.turn_episode[last]]
        return credited(layout, returns(rewards, layout, gamma=self.gamma), describe(all_gains))


def describe(gains: FloatArray) -> dict[str, float]:
    """The metrics of schemes that read gains.

    `igpo/gain_mean` and `igpo/gain_std` are of the raw gains of the batch; `igpo/gain_share` is
    the share of turns that have one.
    """
    known = gains[~np.isnan(gains)]
    return {
        "igpo/gain_mean": float(known.mean()) if known.size else 0.0,
        "igpo/gain_std": float(known.std()) if known.size else 0.0,
        "igpo/gain_share": share(~np.isnan(gains)),
    }


def train_steps(groups: Sequence[ScoredGroup]) -> IntArray:
    """The train step in which each member was played, `[E]`."""
    steps = [member.episode.id.step for group in groups for member in group.members]
    return np.array(steps, dtype=np.int64)


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

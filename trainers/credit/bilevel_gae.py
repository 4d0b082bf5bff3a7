"""Bi-level GAE: over the turns of an episode first, then over the tokens inside each turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agentgym.trainers.credit.gae import (
    credited_tokens,
    flatten,
    gae,
    last_tokens,
    spoken_rewards,
    token_values,
)
from agentgym.trainers.credit.layout import Layout, turn_rewards
from agentgym.trainers.credit.normalize import whiten
from agentgym.types import Credited, ScoredGroup


class BilevelGae(BaseModel):
    """What a turn comes to, by GAE over turns, is the reward that its tokens share out by GAE.

    The upper level reads the critic at each turn's last token; its return (advantage plus value)
    stands as the reward of that token, where the lower level ends.

    Source: RAGEN and VAGEN (2504.20073), their released code. Deviations: turns are counted, not
    found again as tokens with a reward, so a turn that paid nothing is not run into the next;
    observations are no steps (see `gae`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    reads: ClassVar[frozenset[str]] = frozenset({"turn", "values", "batch"})

    gamma_turn: float = Field(default=0.95, ge=0, le=1)
    """Discount per turn, of the upper level."""
    gamma: float = Field(default=1.0, ge=0, le=1)
    """Discount per token, inside a turn."""
    lam: float = Field(default=1.0, ge=0, le=1)
    """Of both levels."""
    whiten: bool = True
    """Whether the step's advantages get mean 0 and deviation 1, over tokens."""
    min_spread: float = Field(default=1e-6, gt=0)
    """Advantages closer than this are equal, and whitened to 0."""

    def __call__(self, groups: Sequence[ScoredGroup]) -> Credited:
        """One advantage and one value target a token."""
        layout = Layout.of(groups)
        values, sizes = flatten(token_values(groups))
        spoke, last = sizes > 0, last_tokens(sizes)
        num_turns = np.bincount(layout.turn_episode[spoke], minlength=len(layout.num_turns)).astype(
            np.int64
        )
        upper = gae(
            spoken_rewards(turn_rewards(groups), sizes, layout),
            values[last],
            num_turns,
            gamma=self.gamma_turn,
            lam=self.lam,
        )
        rewards = np.zeros(len(values))
        rewards[last] = upper + values[last]
        raw = gae(rewards, values, sizes, gamma=self.gamma, lam=self.lam)
        advantages = raw
        if self.whiten:
            advantages = whiten(raw, np.ones(len(raw)), eps=1e-8, min_spread=self.min_spread)
        return credited_tokens(layout, advantages, raw + values, sizes)

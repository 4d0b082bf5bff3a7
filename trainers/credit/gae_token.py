"""Token-level GAE over the tokens that the policy sampled, as if nothing lay between them."""

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


class GaeToken(BaseModel):
    """Generalised advantages over an episode's sampled tokens; a turn pays on its last token.

    Source: Schulman et al. 2016 (1506.02438), on tokens as PPO for language models has it, with
    the whitening of its common implementations: over all tokens of the step. Deviation: tokens of
    the environment are no steps (see `gae`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    reads: ClassVar[frozenset[str]] = frozenset({"turn", "values", "batch"})

    gamma: float = Field(default=1.0, ge=0, le=1)
    """Discount per sampled token."""
    lam: float = Field(default=1.0, ge=0, le=1)
    """1 trusts returns alone, 0 the critic alone; per sampled token."""
    whiten: bool = True
    """Whether the step's advantages get mean 0 and deviation 1."""
    min_spread: float = Field(default=1e-6, gt=0)
    """Advantages closer than this are equal, and whitened to 0."""

    def __call__(self, groups: Sequence[ScoredGroup]) -> Credited:
        """One advantage and one value target a token."""
        layout = Layout.of(groups)
        values, sizes = flatten(token_values(groups))
        rewards = np.zeros(len(values))
        rewards[last_tokens(sizes)] = spoken_rewards(turn_rewards(groups), sizes, layout)
        lengths = np.bincount(
            layout.turn_episode, weights=sizes, minlength=len(layout.num_turns)
        ).astype(np.int64)
        raw = gae(rewards, values, lengths, gamma=self.gamma, lam=self.lam)
        advantages = raw
        if self.whiten:
            advantages = whiten(raw, np.ones(len(raw)), eps=1e-8, min_spread=self.min_spread)
        return credited_tokens(layout, advantages, raw + values, sizes)

"""Turn-level GAE: a whole turn is one action of a turn-level decision process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agentgym.trainers.credit.gae import gae, token_values
from agentgym.trainers.credit.layout import Layout, credited, turn_rewards
from agentgym.trainers.credit.normalize import whiten
from agentgym.types import Credited, ScoredGroup


class TurnGae(BaseModel):
    """Generalised advantages over turns, from turn rewards and a critic.

    The state of a turn is all that the policy saw when it began it; its value is the critic's at
    the turn's first token, and that value alone is trained. All tokens of a turn get its advantage.

    Source: "Turn-PPO" (2512.17008), as described by others, and its discount and lambda.
    Deviations: advantages are whitened over the turns of the step, each counting once; a turn
    without a token, which no critic could judge, has the value 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    reads: ClassVar[frozenset[str]] = frozenset({"turn", "values", "batch"})

    gamma: float = Field(default=0.99, ge=0, le=1)
    """Discount per turn."""
    lam: float = Field(default=0.9, ge=0, le=1)
    """1 trusts returns alone, 0 the critic alone."""
    whiten: bool = True
    """Whether the step's advantages get mean 0 and deviation 1."""
    min_spread: float = Field(default=1e-6, gt=0)
    """Advantages closer than this are equal, and whitened to 0."""

    def __call__(self, groups: Sequence[ScoredGroup]) -> Credited:
        """One advantage a turn, and a target for the value of its first token."""
        layout = Layout.of(groups)
        found = token_values(groups)
        values = np.array([row[0] if row else 0.0 for row in found], dtype=np.float64)
        raw = gae(turn_rewards(groups), values, layout.num_turns, gamma=self.gamma, lam=self.lam)
        advantages = raw
        if self.whiten:
            advantages = whiten(raw, np.ones(len(raw)), eps=1e-8, min_spread=self.min_spread)
        targets = iter(
            (target, *[None] * (len(row) - 1)) if row else ()
            for target, row in zip((raw + values).tolist(), found, strict=True)
        )
        return replace(
            credited(layout, advantages, {}),
            value_targets=tuple(
                tuple(tuple(next(targets) for _ in m.episode.turns) for m in group.members)
                for group in groups
            ),
        )

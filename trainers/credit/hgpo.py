"""HGPO: GiGPO's comparison repeated among turns that share ever more history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from agentgym.trainers.credit.graph import Graph
from agentgym.trainers.credit.graph_scheme import StepScheme
from agentgym.trainers.credit.igpo import returns
from agentgym.trainers.credit.layout import NEGLIGIBLE, FloatArray, turn_rewards
from agentgym.trainers.credit.normalize import Std
from agentgym.trainers.credit.scores import visit_means
from agentgym.types import ScoredGroup


class Hgpo(StepScheme):
    """A^S: the return of a turn among those whose last k states are the same, averaged over k.

    k runs from 1 to `history + 1` with weights `(k + 1)^alpha`. A k that has nothing to say, for
    nobody else has this past or all of them fared alike, has no weight. There is no A^E, as in
    the released code.

    Source: "HGPO" (2602.22817) and its released code. Deviation: where that code skips an
    advantage that is exactly 0, a rounding is skipped, too.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"turn", "states"})

    std: Std = "population"
    """The released code's; "none" is its `mean_norm`."""
    gamma: float = Field(default=0.95, ge=0, le=1)
    """Discount per turn, as in GiGPO."""
    history: int = Field(default=2, ge=0)
    """How many states before the present one are looked at; 2 and 4 in the paper."""
    alpha: float = 1.0
    """Above 0, a longer shared past weighs more."""

    def step_term(self, graph: Graph, groups: Sequence[ScoredGroup]) -> FloatArray:
        """The weighted mean over history lengths."""
        totals = returns(turn_rewards(groups), graph.layout, gamma=self.gamma)
        summed, weights = np.zeros_like(totals), np.zeros_like(totals)
        for length in range(1, self.history + 2):
            found = self.among(graph, totals, graph.window(length))
            weight = np.where(np.abs(found) > NEGLIGIBLE, (length + 1) ** self.alpha, 0.0)
            summed += weight * found
            weights += weight
        return np.divide(summed, weights, out=np.zeros_like(summed), where=weights > 0)

    def scores(self, graph: Graph, groups: Sequence[ScoredGroup]) -> FloatArray:
        """The mean return of each state, without its history."""
        totals = returns(turn_rewards(groups), graph.layout, gamma=self.gamma)
        return visit_means(graph, totals, success=0.0)

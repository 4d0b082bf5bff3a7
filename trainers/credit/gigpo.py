"""GiGPO: what followed from a state on, against what followed from it in other episodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from agentgym.trainers.credit.graph import Graph
from agentgym.trainers.credit.graph_scheme import GraphScheme
from agentgym.trainers.credit.igpo import returns
from agentgym.trainers.credit.layout import FloatArray, turn_rewards
from agentgym.trainers.credit.scores import visit_means
from agentgym.types import ScoredGroup


class Gigpo(GraphScheme):
    """A^S: the discounted sum of turn rewards among all turns of the group from the same state.

    It reads the reward of each turn, so an environment that pays only with its score at the end
    leaves A^S empty.

    Source: "GiGPO" (2505.10978) and its released code, whose numbers it gives with
    `baseline="turns"`. Deviations: a state whose returns are equal gives exactly 0, where eps
    alone lets rounding through; and a penalty for invalid actions is a reward channel here, not
    part of the scheme.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"outcome", "turn", "states"})

    gamma: float = Field(default=0.95, ge=0, le=1)
    """Discount per turn; 0.95 in all of its scripts."""

    def step_term(self, graph: Graph, groups: Sequence[ScoredGroup]) -> FloatArray:
        """The return of each turn among those from the same state."""
        totals = returns(turn_rewards(groups), graph.layout, gamma=self.gamma)
        return self.among(graph, totals, graph.source)

    def scores(self, graph: Graph, groups: Sequence[ScoredGroup]) -> FloatArray:
        """The baseline that each state gives: the mean of its returns."""
        totals = returns(turn_rewards(groups), graph.layout, gamma=self.gamma)
        return visit_means(graph, totals, success=0.0)

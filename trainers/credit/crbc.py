"""CRBC: the value of an action in a state, by all that the group did after it, less the state's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from agentgym.trainers.credit.graph import Graph, Nodes, mean_by
from agentgym.trainers.credit.graph_scheme import GraphScheme
from agentgym.trainers.credit.layout import FloatArray
from agentgym.trainers.credit.scores import closure
from agentgym.types import ScoredGroup


class Crbc(GraphScheme):
    """A^S: `(Q - V) / max(deviation, min_deviation)`; all turns with one action in one state share
    it, whatever they led to.

    V is the fixed point of the Bellman equation on what the group did (`closure`), Q the mean of
    `gamma V(next)` after the action, and the deviation that of Q among the turns from the state.
    So small differences stay small, where a z-score makes all of them equal.

    Source: "Cross-rollout Bellman closure" (2609.35082): the closure by one linear solve, not its
    finite depths. `std`, `eps` and `baseline` are those of A^E, which is GRPO's there.
    """

    nodes: Nodes = "state"
    step_weight: float = 5.0
    """The paper's weights are 1 and 5."""
    gamma: float = Field(default=0.98, gt=0, le=1)
    """Discount per turn; 0.98 in the paper."""
    min_deviation: float = Field(default=0.1, gt=0)
    """Floor of the divisor; 0.1 in the paper, where values lie between 0 and 1."""

    def scores(self, graph: Graph, groups: Sequence[ScoredGroup]) -> FloatArray:
        """V, from 0 at failure to 1 at success."""
        return closure(graph, gamma=self.gamma)

    def step_term(self, graph: Graph, groups: Sequence[ScoredGroup]) -> FloatArray:
        """The centred Q over its deviation."""
        # A cut turn says nothing of an action, so it is in no mean.
        known = graph.compared
        values = self.gamma * self.scores(graph, groups)[graph.target]
        values[known] = mean_by(values[known], graph.choice[known])
        # Where none is cut, the mean of Q over the turns from a state is V: this subtracts V.
        centred = graph.among(values, graph.source, std="none", eps=0.0, min_spread=self.min_spread)
        deviation = np.ones(len(centred))
        deviation[known] = np.sqrt(mean_by(centred[known] ** 2, graph.source[known]))
        return centred / np.maximum(deviation, self.min_deviation)

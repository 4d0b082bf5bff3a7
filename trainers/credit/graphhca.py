"""GraphHCA: how much likelier success became with a turn, on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from agentgym.trainers.credit.graph import Graph, Nodes
from agentgym.trainers.credit.graph_scheme import GraphScheme
from agentgym.trainers.credit.layout import FloatArray
from agentgym.trainers.credit.scores import closure
from agentgym.types import ScoredGroup


class GraphHca(GraphScheme):
    """A^S: `log V(next) - log V` among all turns of the group from the same state.

    V is the fixed point of the Bellman equation on what the group did (`closure`), not less than
    `floor`. Where every way ends in one goal, this is the log of the hindsight ratio: how much
    likelier the action is once one knows that it ended well.

    Source: "GraphHCA" (2609.35084). With `gamma` 0.95 the floor hides what lies more than some
    49 turns before the goal when one episode in eight succeeds.
    """

    nodes: Nodes = "state"
    gamma: float = Field(default=0.95, gt=0, le=1)
    """Discount per turn; 0.95 in the paper."""
    floor: float = Field(default=0.01, gt=0, lt=1)
    """What V counts at least; keeps the logarithm finite. 0.01 in the paper."""

    def scores(self, graph: Graph, groups: Sequence[ScoredGroup]) -> FloatArray:
        """log V."""
        return np.log(np.maximum(closure(graph, gamma=self.gamma), self.floor))

    def step_term(self, graph: Graph, groups: Sequence[ScoredGroup]) -> FloatArray:
        """The rise of log V."""
        potential = self.scores(graph, groups)
        rise = potential[graph.target] - potential[graph.source]
        return self.among(graph, rise, graph.source)

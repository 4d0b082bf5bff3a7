"""GraphGPO: turns from one state, ranked by how near to success they led."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from agentgym.trainers.credit.graph import Graph, Nodes
from agentgym.trainers.credit.graph_scheme import PaidScheme
from agentgym.trainers.credit.layout import FloatArray
from agentgym.trainers.credit.scores import distances
from agentgym.types import ScoredGroup


class GraphGpo(PaidScheme):
    """A^S: `success decay^d` of the next node, among all turns of the group from the same state.

    d counts the turns to success by the shortest way that anybody in the group took. A node from
    which nobody came there is one turn farther than the farthest that has a way. A group without
    a success gives 0.

    Source: "GraphGPO" (2605.26684), released code: `baseline="turns"` gives its totals.
    Deviations: failure is a sink (see `Graph`), where the code takes the last observation of a
    failed episode for a state that goes on; similar states, when asked for, are one state
    everywhere, not in the distances alone; any success counts as the environment says, however
    the outcome is shaped.
    """

    nodes: Nodes = "state"
    decay: float = Field(default=0.1, gt=0, le=1)
    """0.1 in ALFWorld, 0.2 in WebShop, 0.8 in Sokoban. At 0.1 the scores of nodes seven turns from
    success and farther are within `min_spread`, so a choice between them is a tie."""

    def scores(self, graph: Graph, groups: Sequence[ScoredGroup]) -> FloatArray:
        """`success decay^d`."""
        far = distances(graph)
        reaches = np.isfinite(far)
        farthest = np.zeros(graph.layout.num_groups)
        np.maximum.at(farthest, graph.node_group[reaches], far[reaches])
        far[~reaches] = farthest[graph.node_group[~reaches]] + 1
        return np.asarray(self.success * self.decay**far)

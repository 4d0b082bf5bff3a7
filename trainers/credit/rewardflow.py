"""RewardFlow: how much a turn rose towards the nearest success, in the unit of the reward."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from agentgym.trainers.credit.graph import Graph, Nodes
from agentgym.trainers.credit.graph_scheme import PaidScheme
from agentgym.trainers.credit.layout import FloatArray
from agentgym.trainers.credit.normalize import Std
from agentgym.trainers.credit.scores import distances
from agentgym.types import ScoredGroup


class RewardFlow(PaidScheme):
    """A^S: `V(next) - V` less its mean over all turns of the group from the same state.

    V is `success gamma^d`, with d the turns to success by the shortest way that anybody in the
    group took, and 0 where nobody came there: a step into a dead end costs all that was won.

    Source: "RewardFlow" (2603.18859), released code. Deviations: only what the environment calls
    a success is one, not every episode that was finished; states are the
    environment's, where the code rewrites those of each environment and cuts out idle turns.
    """

    nodes: Nodes = "state"
    std: Std = "none"
    """Nothing divides by default, so both terms are in units of `success`."""
    gamma: float = Field(default=0.9, gt=0, le=1)
    """Discount per turn; 0.9 in the released code."""

    def scores(self, graph: Graph, groups: Sequence[ScoredGroup]) -> FloatArray:
        """`success gamma^d`; 0 where there is no way."""
        far = distances(graph)
        reaches = np.isfinite(far)
        values = np.zeros(len(far))
        values[reaches] = self.success * self.gamma ** far[reaches]
        return values

    def step_term(self, graph: Graph, groups: Sequence[ScoredGroup]) -> FloatArray:
        """The rise; less the mean of its state, `- V` cancels."""
        scores = self.scores(graph, groups)
        rise = scores[graph.target] - scores[graph.source]
        return self.among(graph, rise, graph.source)

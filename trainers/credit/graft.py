"""GRAFT: what a turn gained on the value that its state has by all that the group did next."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from agentgym.trainers.credit.graph import Graph
from agentgym.trainers.credit.graph_scheme import StepScheme
from agentgym.trainers.credit.layout import FloatArray
from agentgym.trainers.credit.scores import closure
from agentgym.types import ScoredGroup


class Graft(StepScheme):
    """A^S: `gamma V(next) - V` among all turns of the group from the same state; there is no A^E.

    V is the fixed point of the Bellman equation on what the group did (`closure`).

    Source: "GRAFT", its one-step credit. Left out is its Graph GAE: at the fixed point the gains
    of all turns that leave a node sum to 0, so the sum over later nodes that it adds is 0, too.
    Deviations: failure and success are a node each, so that a state can be the end of one episode
    and the middle of another; a state left once gives 0, where the paper takes the sign of a
    number that is only rounding. The paper's loss clips a turn as a whole: `grpo_c`.
    """

    gamma: float = Field(default=0.99, gt=0, le=1)
    """Discount per turn; 0.99 in the paper."""

    def scores(self, graph: Graph, groups: Sequence[ScoredGroup]) -> FloatArray:
        """V, from 0 at failure to 1 at success."""
        return closure(graph, gamma=self.gamma)

    def step_term(self, graph: Graph, groups: Sequence[ScoredGroup]) -> FloatArray:
        """The one-step gain; less the mean of its state, `- V` cancels."""
        values = self.scores(graph, groups)
        gain = self.gamma * values[graph.target] - values[graph.source]
        return self.among(graph, gain, graph.source)

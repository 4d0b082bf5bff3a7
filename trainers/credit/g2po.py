"""G2PO: the mean return of the state that a turn led to, and how much it rose on the way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from agentgym.trainers.credit.graph import Graph
from agentgym.trainers.credit.graph_scheme import PaidScheme
from agentgym.trainers.credit.layout import FloatArray
from agentgym.trainers.credit.scores import powers, visit_means
from agentgym.types import ScoredGroup


class G2po(PaidScheme):
    """A^S: V of the next node among turns from one state, plus the rise of V among all turns.

    V of a state is the mean, over its visits, of what its episode still came to: `success`
    discounted by the turns left, or 0. The rise `V(next) - V` is not discounted and is compared
    among all turns of the group, so late turns, where V jumps to its end, weigh more.

    Source: "G2PO" (2606.22995), released code: `baseline="turns"` gives its totals, and
    `std="none"` those of WebShop. Deviations: success is what the environment calls so, where the
    code asks whether the shaped reward is exactly 10; a penalty for invalid actions is a reward
    channel.
    """

    gamma: float = Field(default=0.95, ge=0, le=1)
    """Discount per turn; fixed in the released code."""

    def scores(self, graph: Graph, groups: Sequence[ScoredGroup]) -> FloatArray:
        """The mean discounted return of each state."""
        layout = graph.layout
        left = layout.num_turns[layout.turn_episode] - layout.turn_index
        worth = powers(self.gamma, int(layout.num_turns.max(initial=0)))[left]
        returns = np.where(graph.won[layout.turn_episode], self.success * worth, 0.0)
        return visit_means(graph, returns, success=self.success)

    def step_term(self, graph: Graph, groups: Sequence[ScoredGroup]) -> FloatArray:
        """Where a turn led, and how much that was better than where it began."""
        scores = self.scores(graph, groups)
        rise = scores[graph.target] - scores[graph.source]
        return self.among(graph, scores[graph.target], graph.source) + self.among(
            graph, rise, graph.layout.turn_group
        )

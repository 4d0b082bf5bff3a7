"""What the graph schemes share: an episode term, a step term, and how they are added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agentgym.trainers.credit.graph import Graph, describe
from agentgym.trainers.credit.layout import FloatArray, IntArray, Layout, credited, outcomes
from agentgym.trainers.credit.normalize import Std, normalize
from agentgym.types import Credited, ScoredGroup

Baseline: TypeAlias = Literal["episodes", "turns"]


class GraphScheme(BaseModel):
    """`A = episode_weight A^E + step_weight A^S`.

    A^E is the outcome among the group's outcomes, the same for all turns of an episode. A^S is
    made of node scores, a scheme each. A pool whose values are closer than `min_spread` gives
    exactly 0, and so does a turn that was cut, in A^S.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    reads: ClassVar[frozenset[str]] = frozenset({"outcome"})

    std: Std = "sample"
    """What divides; the released codes call "sample" `mean_std_norm` and "none" `mean_norm`. With
    "none" everything stays in the unit of the rewards."""
    baseline: Baseline = "episodes"
    """What A^E takes mean and deviation over. "episodes" is the papers' equation. "turns" counts
    an episode once per turn, as verl-agent does by default: long failures weigh more, and the
    mean advantage of an episode is not 0."""
    episode_weight: float = 1.0
    step_weight: float = 1.0
    eps: float = Field(default=1e-6, ge=0)
    """Added to the divisor; the released codes' value."""
    min_spread: float = Field(default=1e-6, gt=0)
    """Values closer than this are equal: above rounding, below any difference a task means."""
    similarity: float = Field(default=1.0, gt=0, le=1)
    """Below 1, observations whose keys are this similar are one state (`first_fit`); who comes
    first then matters a little, and so does the order of the members."""

    def graph(self, groups: Sequence[ScoredGroup]) -> Graph:
        """The graphs that the scheme looks at."""
        return Graph.of(groups, Layout.of(groups), similarity=self.similarity)

    def scores(self, graph: Graph, groups: Sequence[ScoredGroup]) -> FloatArray:
        """How good it was to be at each node, `[N + 2 G]`."""
        raise NotImplementedError

    def step_term(self, graph: Graph, groups: Sequence[ScoredGroup]) -> FloatArray:
        """A^S, `[S]`: by default the score of the next node among the turns from one state."""
        return self.among_siblings(graph, self.scores(graph, groups)[graph.target])

    def outcomes(self, groups: Sequence[ScoredGroup]) -> FloatArray:
        """What A^E compares, `[E]`."""
        return outcomes(groups)

    def __call__(self, groups: Sequence[ScoredGroup]) -> Credited:
        """One advantage a turn; the metrics are those of `graph.describe`."""
        graph = self.graph(groups)
        step = self.step_term(graph, groups)
        episode = self._episode_term(graph.layout, groups)
        advantages = self.episode_weight * episode + self.step_weight * step
        return credited(graph.layout, advantages, describe(graph, step))

    def among_siblings(self, graph: Graph, values: FloatArray) -> FloatArray:
        """The values among those of all turns that left the same state, `[S]`."""
        return self.among(graph, values, graph.source)

    def among(self, graph: Graph, values: FloatArray, pool: IntArray) -> FloatArray:
        """The values among those of their pool, `[S]`."""
        return graph.among(
            values, pool, std=self.std, eps=self.eps, min_spread=self.min_spread
        )

    def _episode_term(self, layout: Layout, groups: Sequence[ScoredGroup]) -> FloatArray:
        rewards = self.outcomes(groups)
        by_turn = self.baseline == "turns"
        scores = normalize(
            rewards[layout.turn_episode] if by_turn else rewards,
            layout.turn_group if by_turn else layout.episode_group,
            num_pools=layout.num_groups,
            std=self.std,
            eps=self.eps,
            min_spread=self.min_spread,
        )
        return np.asarray(scores if by_turn else scores[layout.turn_episode])


def turn_rewards(groups: Sequence[ScoredGroup]) -> FloatArray:
    """r of every turn, `[S]`."""
    rewards = [
        reward for group in groups for member in group.members for reward in member.turn_rewards
    ]
    return np.array(rewards, dtype=np.float64)

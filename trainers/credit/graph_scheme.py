"""What the graph schemes share: an episode term, a step term, and how they are added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from agentgym.trainers.credit.graph import Graph, Nodes, Truncation, describe, merge_rate
from agentgym.trainers.credit.layout import FloatArray, IntArray, Layout, credited, outcomes
from agentgym.trainers.credit.normalize import Std, normalize
from agentgym.types import Credited, ScoredGroup

Baseline: TypeAlias = Literal["episodes", "turns"]


class StepScheme(BaseModel):
    """A^S alone: what a turn did, among turns that could have done it, too.

    It is made of node scores, a scheme each. A pool whose values are closer than `min_spread`
    gives exactly 0, and so does a turn that was cut.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    reads: ClassVar[frozenset[str]] = frozenset({"states"})
    """And which episodes succeeded."""

    std: Std = "sample"
    """What divides; the released codes call "sample" `mean_std_norm` and "none" `mean_norm`. With
    "none" everything stays in the unit of the rewards."""
    eps: float = Field(default=1e-6, ge=0)
    """Added to the divisor; the released codes' value."""
    min_spread: float = Field(default=1e-6, gt=0)
    """Values closer than this are equal: above rounding, below any difference a task means."""
    nodes: Nodes = "key"
    """What makes two observations one state of the graph: "key", that they look the same, or
    "state", that the environment says so. The default is what the scheme's paper compares."""
    similarity: float = Field(default=1.0, gt=0, le=1)
    """Below 1, observations whose `nodes` are this similar are one state (`first_fit`). Which those
    are depends on the order of the members."""

    truncation: Truncation = "failure"
    """What the turn gets at which a limit ended an episode. "failure", as in the papers: the blame
    for all that was not reached, though it may be no worse a turn than the one before. "neutral":
    0, and no part in the comparison. To the states before, it is a failure either way."""

    def graph(self, groups: Sequence[ScoredGroup]) -> Graph:
        """The graphs that the scheme looks at."""
        return Graph.of(
            groups,
            Layout.of(groups),
            nodes=self.nodes,
            similarity=self.similarity,
            truncation=self.truncation,
        )

    def scores(self, graph: Graph, groups: Sequence[ScoredGroup]) -> FloatArray:
        """How good it was to be at each node, `[N + 2 G]`."""
        raise NotImplementedError

    def step_term(self, graph: Graph, groups: Sequence[ScoredGroup]) -> FloatArray:
        """A^S, `[S]`: by default the score of the next node among the turns from one state."""
        return self.among(graph, self.scores(graph, groups)[graph.target], graph.source)

    def advantages(
        self, graph: Graph, groups: Sequence[ScoredGroup], step: FloatArray
    ) -> FloatArray:
        """A of each turn, `[S]`, given its A^S."""
        return step

    def __call__(self, groups: Sequence[ScoredGroup]) -> Credited:
        """One advantage a turn; the metrics are those of `describe` and `merge_rate`."""
        graph = self.graph(groups)
        step = self.step_term(graph, groups)
        advantages = self.advantages(graph, groups, step)
        compared = describe(
            graph.layout,
            step,
            source=graph.source,
            action=graph.action,
            compared=graph.compared,
            won=graph.won,
        )
        return credited(graph.layout, advantages, merge_rate(graph.edge) | compared)

    def among(self, graph: Graph, values: FloatArray, pool: IntArray) -> FloatArray:
        """The values among those of their pool, `[S]`."""
        return graph.among(values, pool, std=self.std, eps=self.eps, min_spread=self.min_spread)


class GraphScheme(StepScheme):
    """`A = episode_weight A^E + step_weight A^S`.

    A^E is the outcome among the group's outcomes, the same for all turns of an episode.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"outcome", "states"})

    baseline: Baseline = "episodes"
    """What A^E takes mean and deviation over. "episodes" is the papers' equation. "turns" counts
    an episode once per turn, as verl-agent does by default: long failures weigh more, and the
    mean A^E of the episodes is not 0."""
    episode_weight: float = 1.0
    step_weight: float = 1.0

    def outcomes(self, groups: Sequence[ScoredGroup]) -> FloatArray:
        """What A^E compares, `[E]`."""
        return outcomes(groups)

    def advantages(
        self, graph: Graph, groups: Sequence[ScoredGroup], step: FloatArray
    ) -> FloatArray:
        """The weighted sum of both terms."""
        layout, rewards = graph.layout, self.outcomes(groups)
        by_turn = self.baseline == "turns"
        episode = normalize(
            rewards[layout.turn_episode] if by_turn else rewards,
            layout.turn_group if by_turn else layout.episode_group,
            num_pools=layout.num_groups,
            std=self.std,
            eps=self.eps,
            min_spread=self.min_spread,
        )
        if not by_turn:
            episode = episode[layout.turn_episode]
        return self.episode_weight * episode + self.step_weight * step


class PaidScheme(GraphScheme):
    """A graph scheme whose node scores are in the unit of the reward, and its A^E with them."""

    success: float = Field(default=10.0, gt=0)
    """What a success is worth, and so what outcomes are multiplied by; 10 in the environments of
    the papers. It matters where nothing divides, and against `eps`."""

    def outcomes(self, groups: Sequence[ScoredGroup]) -> FloatArray:
        """Outcomes in the unit of the node scores."""
        return self.success * outcomes(groups)

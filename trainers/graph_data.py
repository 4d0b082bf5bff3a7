"""The graph of one group as data: what a scheme compares, to read, to export and to draw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Literal, TypeAlias

import numpy as np

from agentgym.trainers.credit import Credit
from agentgym.trainers.credit.graph import Graph, Nodes
from agentgym.trainers.credit.graph_scheme import StepScheme
from agentgym.trainers.credit.layout import Layout
from agentgym.trainers.credit.salt import Salt
from agentgym.types import Scored, ScoredGroup, Turn

Kind: TypeAlias = Literal["state", "failure", "success"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A state, or the end of an episode."""

    id: int
    kind: Kind
    key: str
    """What the observations here have in common: their key or, where the scheme compares those,
    their state. Empty for an end."""
    visits: int
    """How often it was entered; the first observation of an episode counts."""
    num_members: int
    """Episodes that came here."""
    score: float | None
    """The scheme's; None where it scores no nodes."""
    mean_advantage: float | None
    """Of the turns that left it; None where none did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Turns with one source, one action and one target: what merging schemes take for one."""

    id: int
    source: int
    target: int
    action: str | None
    invalid: str | None
    turns: tuple[tuple[int, int], ...]
    """(member, turn) of each occurrence; the member by its id, turns from 1."""
    mean_advantage: float

    @property
    def visits(self) -> int:
        """Occurrences."""
        return len(self.turns)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphData:
    """Nodes and edges, each at the place that its id says."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ids:
    """What the scheme's kernel says: for each turn of the group its nodes and its edge."""

    source: Sequence[int]
    target: Sequence[int]
    edge: Sequence[int]
    scores: dict[int, float]
    """By node."""
    ends: dict[int, Kind]
    """The nodes that are no states."""
    nodes: Nodes
    """What names a node."""


def draw(credit: Credit, group: ScoredGroup, advantages: Sequence[Sequence[float]]) -> GraphData:
    """The graph that a scheme sees in a group.

    SALT's nodes are its windows of history; those of the graph schemes are states, with their
    scores. Schemes without a graph are drawn on the states.

    Args:
        advantages: `[member][turn]`, by any scheme.
    """
    ids = _windows(credit, group) if isinstance(credit, Salt) else _states(credit, group)
    flat = list(chain.from_iterable(advantages))
    turns = [
        (member, number, turn)
        for member in group.members
        for number, turn in enumerate(member.episode.turns, start=1)
    ]
    order: dict[int, int] = {}
    for source, target in zip(ids.source, ids.target, strict=True):
        order.setdefault(source, len(order))
        order.setdefault(target, len(order))
    return GraphData(nodes=_nodes(ids, order, turns, flat), edges=_edges(ids, order, turns, flat))


_Step: TypeAlias = tuple[Scored, int, Turn]


def _nodes(
    ids: _Ids, order: dict[int, int], turns: Sequence[_Step], advantages: Sequence[float]
) -> tuple[Node, ...]:
    name, keys = attrgetter(ids.nodes), dict[int, str]()
    entered: dict[int, list[int]] = {node: [] for node in order}
    left: dict[int, list[float]] = {node: [] for node in order}
    for place, (member, number, turn) in enumerate(turns):
        source, target = ids.source[place], ids.target[place]
        episode = member.episode
        if number == 1:
            assert episode.first is not None
            keys[source] = name(episode.first)
            entered[source].append(episode.id.member)
        keys[target] = name(turn.observation)
        entered[target].append(episode.id.member)
        left[source].append(advantages[place])
    return tuple(
        Node(
            id=number,
            kind=ids.ends.get(node, "state"),
            key="" if node in ids.ends else keys[node],
            visits=len(entered[node]),
            num_members=len(set(entered[node])),
            score=ids.scores.get(node),
            mean_advantage=_mean(left[node]) if left[node] else None,
        )
        for node, number in order.items()
    )


def _edges(
    ids: _Ids, order: dict[int, int], turns: Sequence[_Step], advantages: Sequence[float]
) -> tuple[Edge, ...]:
    places: dict[int, list[int]] = {}
    for place, edge in enumerate(ids.edge):
        places.setdefault(edge, []).append(place)
    return tuple(
        Edge(
            id=number,
            source=order[ids.source[found[0]]],
            target=order[ids.target[found[0]]],
            action=turns[found[0]][2].action,
            invalid=turns[found[0]][2].invalid,
            turns=tuple((turns[p][0].episode.id.member, turns[p][1]) for p in found),
            mean_advantage=_mean(advantages[p] for p in found),
        )
        for number, found in enumerate(places.values())
    )


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _states(credit: Credit, group: ScoredGroup) -> _Ids:
    """States as nodes, an end for the failures and one for the successes."""
    if isinstance(credit, StepScheme):
        nodes, graph = credit.nodes, credit.graph([group])
        scores = dict(enumerate(credit.scores(graph, [group]).tolist()))
    else:
        nodes = "key"
        graph, scores = Graph.of([group], Layout.of([group]), nodes=nodes), {}
    failure, success = graph.num_states, graph.num_states + 1
    return _Ids(
        source=graph.source.tolist(),
        target=graph.target.tolist(),
        edge=graph.edge.tolist(),
        scores=scores,
        ends={failure: "failure", success: "success"},
        nodes=nodes,
    )


def _windows(credit: Salt, group: ScoredGroup) -> _Ids:
    """Windows of history as nodes."""
    source, edge, target = credit.windows([group]).walk(credit.key_window)
    return _Ids(
        source=source.tolist(),
        target=target.tolist(),
        edge=edge.tolist(),
        scores={},
        ends={},
        nodes="key",
    )

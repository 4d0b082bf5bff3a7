"""Scores for the nodes of a graph: how good it was to be there, each `[N + 2 G]`.

Three ways, from what a state's own visitors saw to all that the group knows: the mean of their
returns, the shortest way that anybody took, and the fixed point of the Bellman equation.
"""

from __future__ import annotations

import numpy as np

from agentgym.trainers.credit.graph import Graph
from agentgym.trainers.credit.layout import BoolArray, FloatArray, IntArray


def visit_means(graph: Graph, returns: FloatArray, *, success: float) -> FloatArray:
    """The mean return of the turns that left a state.

    Args:
        returns: `[S]`.
        success: the score of the success sinks; failure has 0.
    """
    sums = np.bincount(graph.source, weights=returns, minlength=graph.num_states)
    return np.concatenate([sums / np.maximum(graph.visits, 1), _sinks(graph, success)])


def distances(graph: Graph) -> FloatArray:
    """Turns from each node to success by the shortest way in its group; infinite without one."""
    far = np.full(graph.num_nodes, np.inf)
    far[graph.num_nodes - graph.layout.num_groups :] = 0
    reached = 0.0
    frontier = far[graph.target] == reached
    while frontier.any():
        sources = graph.source[frontier]
        far[sources[np.isinf(far[sources])]] = reached + 1
        reached += 1
        frontier = far[graph.target] == reached
    return far


def closure(graph: Graph, *, gamma: float) -> FloatArray:
    """The fixed point of `V(s) = gamma mean of V(next) over the turns that left s`.

    Success is 1, failure 0. One linear solve a group, over the states that were visited more than
    once: a state visited once passes on what its episode met next, so that its turns fold into
    one discount.

    Source: CRBC (2609.35082), and GRAFT's node values, which it reaches by sweeps.
    """
    layout = graph.layout
    shared = np.concatenate([graph.visits > 1, np.ones(2 * layout.num_groups, dtype=np.bool_)])
    stop, steps = _next_stop(graph, shared)
    discount = powers(gamma, int(layout.num_turns.max(initial=0)))[steps]
    values = np.concatenate([np.zeros(graph.num_states), _sinks(graph, 1.0)])
    leaves = shared[graph.source]
    ends = np.searchsorted(layout.turn_group, np.arange(layout.num_groups + 1))
    for start, end in zip(ends, ends[1:], strict=False):
        rows = np.arange(start, end)[leaves[start:end]]
        if len(rows):
            _solve(graph.source[rows], stop[rows], discount[rows], values)
    lone = ~leaves
    values[graph.source[lone]] = discount[lone] * values[stop[lone]]
    return values


def _next_stop(graph: Graph, shared: BoolArray) -> tuple[IntArray, IntArray]:
    """The next shared node that each turn's episode came to, and after how many turns."""
    layout = graph.layout
    num_turns = len(graph.source)
    place = np.where(shared[graph.source], np.arange(num_turns), num_turns)
    later = np.append(np.minimum.accumulate(place[::-1])[::-1], num_turns)[1:]
    last = (layout.starts + layout.num_turns)[layout.turn_episode]
    inside = later < last
    stop = graph.end[layout.turn_episode]
    stop[inside] = graph.source[later[inside]]
    return stop, np.minimum(later, last) - np.arange(num_turns)


def _solve(source: IntArray, stop: IntArray, discount: FloatArray, values: FloatArray) -> None:
    """Write the values of one group's shared states, given those of its sinks."""
    states, row = np.unique(source, return_inverse=True)
    size = len(states)
    column = np.searchsorted(states, stop)
    inner = column < size  # sinks are numbered behind all states
    weight = discount / np.bincount(row)[row]
    flow = np.bincount(
        row[inner] * size + column[inner], weights=weight[inner], minlength=size * size
    ).reshape(size, size)
    gain = np.bincount(row, weights=np.where(inner, 0.0, weight * values[stop]), minlength=size)
    # Every episode ends in a sink, so the matrix is regular even without discount.
    values[states] = np.linalg.solve(np.eye(size) - flow, gain)


def powers(factor: float, longest: int) -> FloatArray:
    """`factor ** k` for k from 0 to `longest`, the same numbers whatever `longest` is."""
    return np.multiply.accumulate(np.append(1.0, np.full(longest, factor)))


def _sinks(graph: Graph, success: float) -> FloatArray:
    return np.repeat([0.0, success], graph.layout.num_groups)

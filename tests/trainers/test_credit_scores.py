"""Node scores: worked values, and what must hold on every graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from graph_groups import S1, S2, assert_table, random_groups, walks
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import ended, group, scored

from agentgym.trainers.credit.crbc import Crbc
from agentgym.trainers.credit.graft import Graft
from agentgym.trainers.credit.graph import Graph
from agentgym.trainers.credit.layout import FloatArray, Layout
from agentgym.trainers.credit.scores import closure, distances, powers
from agentgym.trainers.credit.similar import first_fit
from agentgym.types import Group
from oracles import state_graph as oracle

many = settings(max_examples=100, deadline=None)
"""Of five groups each."""
seeds = st.integers(0, 2**32)
gammas = st.sampled_from([0.5, 0.9, 0.98, 1.0])


def graph_of(*groups: Group) -> Graph:
    found = scored(*groups)
    return Graph.of(found, Layout.of(found))


def node_names(worked: Group) -> list[object]:
    """The oracle's name of each node of a graph of one group, in the graph's order."""
    states = [state for walk in walks(worked.episodes) for state in walk.states]
    return [*dict.fromkeys(states), oracle.LOST, oracle.WON]


# ROOT, R1, B1, B1s, B2, R2, failure, success
@pytest.mark.parametrize(
    ("gamma", "expected"),
    [
        (0.99, [0.242575, 0.217800, 0.330000, 0, 0, 0.326700, 0, 1]),
        (0.98, [0.235298, 0.213422, 0.326667, 0, 0, 0.320133, 0, 1]),
        (0.95, [0.214344, 0.200556, 0.316667, 0, 0, 0.300833, 0, 1]),
    ],
)
def test_s1_has_the_worked_values(gamma: float, expected: list[float]) -> None:
    assert_table([closure(graph_of(S1), gamma=gamma).tolist()], [expected])


def test_s2_has_the_worked_values() -> None:
    expected = [0.453275, 0.462526, 0.453275, 0, 1]
    assert_table([closure(graph_of(S2), gamma=0.98).tolist()], [expected])


def test_distances_are_those_of_the_shortest_way() -> None:
    far = distances(graph_of(S1)).tolist()
    assert far == [3, 2, 1, np.inf, np.inf, 2, np.inf, 0]


def test_groups_have_sinks_of_their_own() -> None:
    graph = graph_of(S1, S2)
    assert (graph.num_states, graph.num_nodes) == (9, 13)
    assert graph.node_group.tolist() == [0] * 6 + [1] * 3 + [0, 1, 0, 1]
    assert graph.target[[2, 6, 9, 12]].tolist() == [11, 9, 9, 9]
    assert graph.target[[16, 22]].tolist() == [12, 10]


@many
@given(seeds, gammas)
def test_the_closure_is_where_sweeps_end(seed: int, gamma: float) -> None:
    for worked in random_groups(seed):
        slow = oracle.closure(walks(worked.episodes), gamma)
        expected = [slow[name] for name in node_names(worked)]
        assert closure(graph_of(worked), gamma=gamma).tolist() == pytest.approx(expected, abs=1e-7)


@many
@given(seeds)
def test_distances_equal_the_oracle_and_the_best_backup(seed: int) -> None:
    for worked in random_groups(seed):
        far = distances(graph_of(worked))
        slow = oracle.distances(walks(worked.episodes))
        assert far.tolist() == [slow[name] for name in node_names(worked)]
        assert 0.9**far == pytest.approx(best_backup(graph_of(worked), 0.9))


def best_backup(graph: Graph, gamma: float) -> FloatArray:
    """The fixed point of `V(s) = gamma max V(next)`."""
    values = np.zeros(graph.num_nodes)
    values[-graph.layout.num_groups :] = 1
    for _ in range(graph.num_states):
        np.maximum.at(values, graph.source, gamma * values[graph.target])
    return values


@many
@given(seeds, gammas)
def test_gains_on_the_closure_cancel_at_every_state(seed: int, gamma: float) -> None:
    """So does every mean of later gains, which is why GRAFT's Graph GAE adds nothing."""
    graph = graph_of(*random_groups(seed))
    values = closure(graph, gamma=gamma)
    gains = gamma * values[graph.target] - values[graph.source]
    sums = np.bincount(graph.source, weights=gains, minlength=graph.num_states)
    assert np.abs(sums).max(initial=0.0) < 1e-9
    assert values.min(initial=0.0) >= -1e-12
    assert values.max(initial=0.0) <= 1 + 1e-12


@many
@given(seeds)
def test_a_group_played_twice_changes_no_value(seed: int) -> None:
    groups = random_groups(seed)
    twice = [group(*worked.episodes, *worked.episodes) for worked in groups]
    once = closure(graph_of(*groups), gamma=0.98)
    assert closure(graph_of(*twice), gamma=0.98) == pytest.approx(once, abs=1e-9)


@many
@given(seeds)
def test_where_actions_have_one_result_graft_and_crbc_are_one(seed: int) -> None:
    """Up to the normaliser: the z-score here, the deviation with its floor there."""
    groups = scored(*(named_by_result(worked) for worked in random_groups(seed, cut=0)))
    scheme = Crbc(gamma=0.99, episode_weight=0, step_weight=1, min_deviation=1e-12)
    graft = Graft(std="population", eps=0.0)
    ours, theirs = scheme(groups).advantages, graft(groups).advantages
    for row, other in zip(ours, theirs, strict=True):
        for mine, expected in zip(row, other, strict=True):
            assert mine == pytest.approx(expected, abs=1e-7)


def named_by_result(worked: Group) -> Group:
    """The group with actions that say where they lead."""
    return group(
        *(
            replace(
                member,
                turns=tuple(
                    replace(t, action=str(target), invalid=None)
                    for t, target in zip(member.turns, walk.targets, strict=True)
                ),
            )
            for member, walk in zip(worked.episodes, walks(worked.episodes), strict=True)
        )
    )


def test_states_left_once_fold_into_the_discount() -> None:
    """The value along a lone way, and that of a crossing behind one."""
    alone = group(ended("a->1, b->2, c->3, d->END", 1.0), ended("x->9", 0.0))
    assert closure(graph_of(alone), gamma=0.5)[:4].tolist() == [0.03125, 0.125, 0.25, 0.5]


def test_powers_do_not_depend_on_how_many_are_asked_for() -> None:
    assert powers(0.97, 40).tolist()[:5] == powers(0.97, 4).tolist()
    assert powers(0.5, 3).tolist() == [1.0, 0.5, 0.25, 0.125]


def test_first_fit_takes_the_first_founder_that_is_near_enough() -> None:
    texts = ["abcdefghij", "abcdefghiX", "abcdefghXX", "zzz", "abcdefghij"]
    # The third is at .9 of the second, which founded nothing, and at .8 of the first.
    assert list(first_fit(texts, 0.9).values()) == [0, 0, 1, 2]
    assert list(first_fit(texts, 0.8).values()) == [0, 0, 0, 1]

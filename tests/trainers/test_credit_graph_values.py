"""What the graph schemes compare, before any normaliser: the worked values of S1 and S2."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from graph_groups import S1, S1_FAILED, S2, Table, assert_table, random_groups, table
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import ended, group, scored

from agentgym.trainers.credit.crbc import Crbc
from agentgym.trainers.credit.g2po import G2po
from agentgym.trainers.credit.graft import Graft
from agentgym.trainers.credit.graph import Graph, mean_by
from agentgym.trainers.credit.graph_scheme import StepScheme
from agentgym.trainers.credit.graphgpo import GraphGpo
from agentgym.trainers.credit.graphhca import GraphHca
from agentgym.trainers.credit.layout import FloatArray
from agentgym.trainers.credit.rewardflow import RewardFlow
from agentgym.trainers.credit.scores import closure
from agentgym.types import Group

Read: TypeAlias = Callable[[StepScheme, Graph, FloatArray], FloatArray]


def successors(scheme: StepScheme, graph: Graph, scores: FloatArray) -> FloatArray:
    """The score of the node that each turn led to."""
    return scores[graph.target]


def rises(scheme: StepScheme, graph: Graph, scores: FloatArray) -> FloatArray:
    """How far that is above the score of the state that it left."""
    return scores[graph.target] - scores[graph.source]


def gains(scheme: StepScheme, graph: Graph, scores: FloatArray) -> FloatArray:
    """The same with the next score discounted."""
    assert isinstance(scheme, Graft)
    return scheme.gamma * scores[graph.target] - scores[graph.source]


def action_values(scheme: StepScheme, graph: Graph, scores: FloatArray) -> FloatArray:
    """Q of each turn's state and action."""
    assert isinstance(scheme, Crbc)
    return mean_by(scheme.gamma * scores[graph.target], graph.choice)


def nodes(scheme: StepScheme, graph: Graph, scores: FloatArray) -> FloatArray:
    """G2PO's term of the next node, among turns from one state."""
    return scheme.among(graph, scores[graph.target], graph.source)


def edges(scheme: StepScheme, graph: Graph, scores: FloatArray) -> FloatArray:
    """G2PO's term of the rise, among all turns."""
    return scheme.among(graph, rises(scheme, graph, scores), graph.layout.turn_group)


S1_TURNS: dict[str, tuple[StepScheme, Read, Table]] = {
    "graphgpo, return of an edge": (
        GraphGpo(),
        successors,
        [[0.1, 1, 10], [0.1, 1, 0.001, 0.001], [0.1, 0.001, 0.001], [0.1, 1, 0.001]],
    ),
    "graft, one-step credit": (
        Graft(),
        gains,
        [
            [-0.026953, 0.108900, 0.660000],
            [-0.026953, 0.108900, -0.330000, 0],
            [-0.026953, -0.217800, 0],
            [0.080858, 0, -0.330000],
        ],
    ),
    "crbc, value of an action": (
        Crbc(),
        action_values,
        [
            [0.209154, 0.320133, 0.490000],
            [0.209154, 0.320133, 0, 0],
            [0.209154, 0, 0],
            [0.313731, 0.320133, 0.490000],
        ],
    ),
    "graphhca, log ratio": (
        GraphHca(),
        rises,
        [
            [-0.066490, 0.456758, 1.149906],
            [-0.066490, 0.456758, -3.455265, 0],
            [-0.066490, -2.998506, 0],
            [0.338975, 0.051293, -3.455265],
        ],
    ),
    "g2po, rise": (
        G2po(),
        rises,
        [
            [0.864896, 0.158333, 6.833333],
            [0.864896, 0.158333, -3.166667, 0],
            [0.864896, -3.008333, 0],
            [-2.143437, 3.166667, -3.166667],
        ],
    ),
    "g2po, node term": (
        G2po(),
        nodes,
        [
            [0.5, 0.577350, 1.154700],
            [0.5, 0.577350, -0.577350, 0],
            [0.5, -1.154700, 0],
            [-1.5, 0, -0.577350],
        ],
    ),
    "g2po, edge term": (
        G2po(),
        edges,
        [
            [0.271914, 0.017507, 2.420930],
            [0.271914, 0.017507, -1.179704, -0.039503],
            [0.271914, -1.122694, -0.039503],
            [-0.811276, 1.100697, -1.179704],
        ],
    ),
    "rewardflow, step reward": (
        RewardFlow(),
        rises,
        [[0.81, 0.9, 1], [0.81, 0.9, -9, 0], [0.81, -8.1, 0], [0.81, 0.9, -9]],
    ),
}


def raw(scheme: StepScheme, read: Read, worked: Group) -> Table:
    """What is read of each turn."""
    groups = scored(worked)
    graph = scheme.graph(groups)
    found = read(scheme, graph, scheme.scores(graph, groups)).tolist()
    ends = np.cumsum(graph.layout.num_turns).tolist()
    return [found[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize("what", list(S1_TURNS))
def test_s1_has_the_worked_credit_of_edges(what: str) -> None:
    scheme, read, expected = S1_TURNS[what]
    assert_table(raw(scheme, read, S1), expected)


# The closures are in test_credit_scores. ROOT, R1, B1, B1s, B2, R2, failure, success.
@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        (G2po(), [2.143437, 3.008333, 3.166667, 0, 0, 0, 0, 10]),
        (RewardFlow(), [7.29, 8.1, 9, 0, 0, 8.1, 0, 10]),
    ],
    ids=["g2po", "rewardflow"],
)
def test_s1_has_the_worked_scores_of_nodes(scheme: StepScheme, expected: list[float]) -> None:
    groups = scored(S1)
    assert_table([scheme.scores(scheme.graph(groups), groups).tolist()], [expected])


def test_s2_has_the_worked_credit_of_edges() -> None:
    """search, next, prev, buy | search, next, prev, next, prev, quit."""
    assert_table(raw(GraphGpo(), successors, S2), [[1, 0.1, 1, 10], [1, 0.1, 1, 0.1, 1, 0.01]])
    loop = [-0.018316, 0]
    ((_, *first), (_, *second)) = raw(Graft(gamma=0.98), gains, S2)
    assert_table([first, second], [[*loop, 0.517474], [*loop, *loop, -0.462526]])


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        (GraphGpo(step_weight=0), [1.5, -0.5, -0.5, -0.5]),
        (GraphGpo(step_weight=0, baseline="turns"), [1.754116] + [-0.526235] * 3),
        (GraphHca(step_weight=0), [1.499997, -0.499999, -0.499999, -0.499999]),
    ],
    ids=["of episodes", "of turns", "in units of the outcome"],
)
def test_s1_has_the_worked_episode_term(scheme: GraphGpo, expected: list[float]) -> None:
    rows = table(scheme, S1)
    assert_table(rows, [[a] * len(row) for a, row in zip(expected, rows, strict=True)])


def test_a_constant_factor_of_graphgpos_returns_touches_the_epsilon_alone() -> None:
    """The paper has the edge's own cost in the exponent, the code does not: a factor of .1."""
    paper, code = table(GraphGpo(success=1.0), S1), table(GraphGpo(), S1)
    for mine, other in zip(paper, code, strict=True):
        assert mine == pytest.approx(other, abs=2e-5)


def test_rewardflow_orders_turns_as_graphgpo_with_its_discount() -> None:
    graphgpo = GraphGpo(decay=0.9, std="none", episode_weight=0)
    mine, other = table(RewardFlow(episode_weight=0), S1), table(graphgpo, S1)
    signs = [[np.sign(round(a, 9)) for a in row] for row in mine]
    assert signs == [[np.sign(round(a, 9)) for a in row] for row in other]
    # A dead end is worth 0 here and 10 x .9^4 there, so it costs more.
    assert mine[2][1] < other[2][1] < 0


# An outcome of .5 is as a sink of value .5: what a success and a failure, played alike, come to.
def test_outcomes_between_0_and_1_have_the_worked_values_of_graft() -> None:
    won, lost, also_lost, _ = S1.episodes
    fourth = "search[shoes]->R2, click[B1]->B1, buy->END"
    both = group(
        *(won, won, lost, lost, also_lost, also_lost), ended(fourth, 1.0), ended(fourth, 0.0)
    )
    scheme = Graft(gamma=0.98)
    groups = scored(both)
    graph = scheme.graph(groups)
    values = scheme.scores(graph, groups)
    root, r1, b1, b1s, b2, r2 = values[:6]
    worked = [0.352947, 0.320133, 0.490000, 0.480200, 0, 0]
    assert [root, r1, b1, r2, b1s, b2] == pytest.approx(worked, abs=1e-6)
    # Among the turns of S1, whose last led to .5.
    plain = scheme.graph(scored(S1))
    names = np.array([root, r1, b1, b1s, b2, r2, 0.0, 1.0])
    after = names[plain.target]
    after[-1] = 0.5
    step = scheme.among(plain, 0.98 * after - names[plain.source], plain.source).tolist()
    assert_table(
        [step[:3], step[3:7], step[7:10], step[10:]],
        [
            [-0.5, 0.577348, 0.999998],
            [-0.5, 0.577348, -0.999998, 0],
            [-0.5, -1.154696, 0],
            [1.5, 0, 0],
        ],
        tolerance=2e-5,
    )


def test_small_differences_stay_small_under_crbcs_floor() -> None:
    """ROOT's deviation is .045, under the floor .1; without it the searches were a z-score."""
    rows = table(Crbc(episode_weight=0, step_weight=1), S1)
    bare = table(Crbc(episode_weight=0, step_weight=1, min_deviation=1e-9), S1)
    assert [rows[0][0], rows[3][0]] == pytest.approx([-0.261442, 0.784327], abs=1e-6)
    assert [bare[0][0], bare[3][0]] == pytest.approx([-(3**-0.5), 3**0.5], abs=1e-6)


@pytest.mark.parametrize(("turns", "floored"), [(49, False), (50, True)])
def test_graphhcas_floor_hides_what_is_far_from_the_goal(turns: int, floored: bool) -> None:
    """.95^49 / 8 is .0101: one of eight succeeds, after so many turns."""
    way = ", ".join(f"go->{k}" for k in range(turns - 1))
    won = ended(f"{way}, end->END", 1.0)
    scheme = GraphHca()
    groups = scored(group(won, *(ended("no->END", 0.0) for _ in range(7))))
    start = scheme.scores(scheme.graph(groups), groups)[0]
    assert bool(start == pytest.approx(np.log(0.01), abs=1e-12)) is floored
    assert start == pytest.approx(max(np.log(0.95**turns / 8), np.log(0.01)), abs=1e-9)


ONE_STEP: list[StepScheme] = [
    Graft(eps=0.0),
    Graft(eps=0.0, gamma=0.5),
    GraphHca(eps=0.0, episode_weight=0),
    GraphHca(eps=0.0, episode_weight=0, gamma=0.6),
    GraphGpo(eps=0.0, episode_weight=0),
    GraphGpo(eps=0.0, episode_weight=0, decay=0.7),
    RewardFlow(eps=0.0, episode_weight=0, std="sample"),
]


@pytest.mark.parametrize("scheme", ONE_STEP)
def test_with_two_successors_only_their_order_counts(scheme: StepScheme) -> None:
    """Two of five took the way to success: whatever the score and the discount."""
    worked = group(
        *(ended("good->x, end->END", 1.0) for _ in range(2)),
        *(ended("bad->y, end->END", 0.0) for _ in range(3)),
    )
    # Centred 3/5 and -2/5; squares 2 x .36 + 3 x .16 = 1.2, over 4: deviation .547723.
    expected = [[1.095445, 0]] * 2 + [[-0.730297, 0]] * 3
    assert_table(table(scheme, worked), expected)


@settings(max_examples=50)
@given(st.integers(0, 2**32))
def test_the_value_of_the_state_itself_cancels(seed: int) -> None:
    groups = scored(*random_groups(seed))
    for scheme in ONE_STEP:
        graph = scheme.graph(groups)
        scores = scheme.scores(graph, groups)
        factor = scheme.gamma if isinstance(scheme, Graft) else 1.0
        alone = scheme.among(graph, factor * scores[graph.target], graph.source)
        assert scheme.step_term(graph, groups) == pytest.approx(alone, abs=1e-6)


def better(graph: Graph, credit: FloatArray, *, gamma: float) -> FloatArray:
    """The values of the states when actions are taken more often the more credit they had.

    What follows on an action stays as likely as it was.
    """
    tilted = 1 + 0.1 * credit / max(np.abs(credit).max(initial=0.0), 1e-9)
    weight = tilted / np.bincount(graph.source, weights=tilted)[graph.source]
    size = graph.num_states
    flow = np.zeros((size, graph.num_nodes))
    np.add.at(flow, (graph.source, graph.target), gamma * weight)
    groups = graph.layout.num_groups
    return np.linalg.solve(np.eye(size) - flow[:, :size], flow[:, -groups:].sum(axis=1))


@settings(max_examples=50)
@given(st.integers(0, 2**32))
def test_following_crbcs_credit_lowers_no_value(seed: int) -> None:
    """Its guarantee, on the process that the group's own turns are."""
    scheme = Crbc()
    for worked in [*random_groups(seed, cut=0), S1, S2, S1_FAILED]:
        groups = scored(worked)
        graph = scheme.graph(groups)
        if not graph.num_states:
            continue
        before = closure(graph, gamma=scheme.gamma)[: graph.num_states]
        assert better(graph, np.zeros(len(graph.source)), gamma=scheme.gamma) == pytest.approx(
            before, abs=1e-9
        )
        after = better(graph, scheme.step_term(graph, groups), gamma=scheme.gamma)
        assert (after - before).min() >= -1e-9

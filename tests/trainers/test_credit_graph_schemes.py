"""The graph schemes: their worked tables, and what goes wrong in other implementations."""

from __future__ import annotations

from dataclasses import replace

import pytest
from graph_groups import (
    S1,
    S1_FAILED,
    S1_PAID,
    S2,
    Table,
    assert_table,
    shop,
    table,
)
from scored import ended, episode, group, scored, turn

from agentgym.registry import credits
from agentgym.trainers.credit import Credit
from agentgym.trainers.credit.crbc import Crbc
from agentgym.trainers.credit.g2po import G2po
from agentgym.trainers.credit.gigpo import Gigpo
from agentgym.trainers.credit.graft import Graft
from agentgym.trainers.credit.graphgpo import GraphGpo
from agentgym.trainers.credit.graphhca import GraphHca
from agentgym.trainers.credit.hgpo import Hgpo
from agentgym.trainers.credit.rewardflow import RewardFlow
from agentgym.trainers.credit.salt import Salt
from agentgym.trainers.rewards.combine import Channel
from agentgym.types import Episode, Group, Status

SCHEMES = ("crbc", "g2po", "gigpo", "graft", "graphgpo", "graphhca", "hgpo", "rewardflow")
"""Those on the graph of states; SALT's nodes are windows."""

GRAPHGPO_STEP: Table = [
    [0, 0.577349, 1.154700],
    [0, 0.577349, -0.577350, 0],
    [0, -1.154699, 0],
    [0, 0, -0.577350],
]
GRAFT_STEP: Table = [
    [-0.499991, 0.577347, 1.154699],
    [-0.499991, 0.577347, -0.577349, 0],
    [-0.499991, -1.154694, 0],
    [1.499972, 0, -0.577349],
]
G2PO_NODE_AND_EDGE: Table = [
    [0.5 + 0.271914, 0.577350 + 0.017507, 1.154700 + 2.420930],
    [0.5 + 0.271914, 0.577350 + 0.017507, -0.577350 - 1.179704, -0.039503],
    [0.5 + 0.271914, -1.154700 - 1.122694, -0.039503],
    [-1.5 - 0.811276, 1.100697, -0.577350 - 1.179704],
]
WORKED: dict[str, tuple[Credit, Table]] = {
    "graphgpo, step": (GraphGpo(episode_weight=0), GRAPHGPO_STEP),
    "graphgpo, step, slower decay": (GraphGpo(episode_weight=0, decay=0.2), GRAPHGPO_STEP),
    "graphgpo, as released": (
        GraphGpo(baseline="turns"),
        [
            [1.754116, 2.331465, 2.908816],
            [-0.526235, 0.051115, -1.103585, -0.526235],
            [-0.526235, -1.680933, -0.526235],
            [-0.526235, -0.526235, -1.103585],
        ],
    ),
    "g2po, step": (G2po(episode_weight=0), G2PO_NODE_AND_EDGE),
    "g2po, as released": (
        G2po(baseline="turns"),
        [
            [2.526029, 2.348972, 5.329745],
            [0.245679, 0.068622, -2.283288, -0.565738],
            [0.245679, -2.803628, -0.565738],
            [-2.837510, 0.574463, -2.283288],
        ],
    ),
    "g2po, as released for WebShop": (
        G2po(baseline="turns", std="none"),
        [
            [9.199575, 8.796485, 21.082596],
            [-0.800425, -1.203515, -8.917404, -2.417404],
            [-0.800425, -7.536849, -2.417404],
            [-6.817091, 0.749263, -8.917404],
        ],
    ),
    "graft": (Graft(), GRAFT_STEP),
    "crbc, step": (
        Crbc(episode_weight=0, step_weight=1),
        [
            [-0.261442, 0.707107, 0.707107],
            [-0.261442, 0.707107, -1.414214, 0],
            [-0.261442, -1.414214, 0],
            [0.784327, 0, 0.707107],
        ],
    ),
    "crbc": (
        Crbc(),
        [
            [0.192786, 5.035531, 5.035531],
            [-1.807210, 3.035535, -7.571067, -0.499999],
            [-1.807210, -7.571067, -0.499999],
            [3.421634, -0.499999, 3.035535],
        ],
    ),
    "graphhca, step": (
        GraphHca(episode_weight=0),
        [
            [-0.499998, 0.577350, 1.154700],
            [-0.499998, 0.577350, -0.577350, 0],
            [-0.499998, -1.154700, 0],
            [1.499993, 0, -0.577350],
        ],
    ),
    "graphhca": (
        GraphHca(),
        [
            [0.999999, 2.077347, 2.654697],
            [-0.999997, 0.077351, -1.077349, -0.499999],
            [-0.999997, -1.654699, -0.499999],
            [0.999994, -0.499999, -1.077349],
        ],
    ),
    "hgpo": (
        Hgpo(),
        [
            [1.732050, 1.414213, 1.092047],
            [-0.577350, -0.707107, -0.934912, 0],
            [-0.577350, -0.707107, 0],
            [-0.577350, 0, -0.707106],
        ],
    ),
    "hgpo, mean removed": (
        Hgpo(std="none"),
        [
            [6.768746, 6.333332, 5.370369],
            [-2.256249, -3.166666, -4.629629, 0],
            [-2.256249, -3.166666, 0],
            [-2.256249, 0, -3.333332],
        ],
    ),
    "rewardflow, step": (
        RewardFlow(episode_weight=0),
        [[0, 3, 6.666667], [0, 3, -3.333333, 0], [0, -6, 0], [0, 0, -3.333333]],
    ),
}
"""S1 with one success, each number worked out or given by the authors' function."""


@pytest.mark.parametrize("what", list(WORKED))
def test_s1_has_the_worked_advantages(what: str) -> None:
    scheme, expected = WORKED[what]
    assert_table(table(scheme, S1), expected)


def test_s1_with_two_successes_ranks_by_distance() -> None:
    both = shop(1.0, 0.0, 0.0, 1.0)
    assert_table(
        table(GraphGpo(episode_weight=0), both),
        [
            [0, 0.577349, 0.577350],
            [0, 0.577349, -1.154700, 0],
            [0, -1.154699, 0],
            [0, 0, 0.577350],
        ],
    )


# Turns from R1 in S2: next, buy | next, next, quit. ROOT and P2 have one action each.
@pytest.mark.parametrize(
    ("scheme", "at_r1"),
    [
        (GraphGpo(episode_weight=0), {"next": -0.442126, "buy": 1.788785, "quit": -0.462407}),
        (Graft(gamma=0.98), {"next": -0.052725, "buy": 1.489606, "quit": -1.331432}),
        # gains -.018316 x3, .517474, -.462526: their population deviation is .310714
        (Crbc(episode_weight=0, step_weight=1),
         {"next": -0.058948, "buy": 1.665435, "quit": -1.488589}),
        # values .9^2 x3, 1, 0 times 10, less their mean 6.86
        (RewardFlow(episode_weight=0), {"next": 1.24, "buy": 3.14, "quit": -6.86}),
        # returns .95^2, 1 | 0 0 0, less their mean .3805
        (Gigpo(episode_weight=0, std="none"),
         {"next": 0.522, "buy": 0.6195, "next of t2": -0.3805, "quit": -0.3805}),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_s2_prices_the_loop(scheme: Credit, at_r1: dict[str, float]) -> None:
    first, second = table(scheme, S2)
    loop = at_r1["next"]
    again = at_r1.get("next of t2", loop)
    other = [0.0] * 2
    if isinstance(scheme, Gigpo):
        # From ROOT .95^3 and 0, from P2 .95, 0 and 0.
        other = [0.857375 / 2, 0.95 * 2 / 3]
    root, back = other
    assert_table([first], [[root, loop, back, at_r1["buy"]]])
    assert_table([second], [[-root, again, -back / 2, again, -back / 2, at_r1["quit"]]])


S2_TABLES: dict[str, tuple[Credit, Table]] = {
    # log V: -.932228 at P2, 0 and -4.605170 at the ends; among the five turns from R1
    "graphhca": (
        GraphHca(episode_weight=0),
        [
            [0, 0.305738, 0, 0.825708],
            [0, 0.305738, 0, 0.305738, 0, -1.742922],
        ],
    ),
    # V: ROOT 4.072531, R1 3.614750, P2 3.008333; the mean rise of the ten turns is .185494
    "g2po": (
        G2po(episode_weight=0, std="none"),
        [
            [-0.643275, -0.796667 - 0.791911, 0.420923, 6.195 + 6.199756],
            [
                *(-0.643275, -0.796667 - 0.791911, 0.420923),
                *(-0.796667 - 0.791911, 0.420923, -3.805 - 3.800244),
            ],
        ],
    ),
    # weights 2, 3 and 4; the last P2 of t2 has a past of three states that nobody shares
    "hgpo": (
        Hgpo(std="none"),
        [
            [
                0.857375 / 2,
                (2 * 0.522 + 7 * 0.45125) / 9,
                (5 * 0.95 * 2 / 3 + 4 * 0.475) / 9,
                (2 * 0.6195 + 7 * 2 / 3) / 9,
            ],
            [
                -0.857375 / 2,
                (2 * -0.3805 - 7 * 0.45125) / 9,
                (-5 * 0.95 / 3 - 4 * 0.475) / 9,
                (2 * -0.3805 - 7 / 3) / 9,
                -0.95 / 3,
                (2 * -0.3805 - 7 / 3) / 9,
            ],
        ],
    ),
}


@pytest.mark.parametrize("name", list(S2_TABLES))
def test_s2_has_the_worked_advantages(name: str) -> None:
    scheme, expected = S2_TABLES[name]
    assert_table(table(scheme, S2), expected, tolerance=5e-6)


COLUMNS: dict[str, tuple[Credit, Group, list[float]]] = {
    "salt": (Salt(), S1_PAID, [-0.087, 0.261, 1.306, 0.261, -0.783, -0.783, 0.261, 0.261]),
    "gigpo": (Gigpo(episode_weight=0), S1,
              [1.5, 1.155, 1.155, -0.577, -0.577, -0.577, -0.5, -0.577]),
    "graphgpo": (GraphGpo(episode_weight=0), S1,
                 [0, 0.577, 1.155, 0.577, -0.577, -1.155, 0, -0.577]),
    "g2po": (G2po(episode_weight=0), S1,
             [0.772, 0.595, 3.576, 0.595, -1.757, -2.277, -2.311, -1.757]),
    "graft": (Graft(), S1, [-0.5, 0.577, 1.155, 0.577, -0.577, -1.155, 1.5, -0.577]),
    "graphhca": (GraphHca(episode_weight=0), S1,
                 [-0.5, 0.577, 1.155, 0.577, -0.577, -1.155, 1.5, -0.577]),
    "crbc": (Crbc(episode_weight=0, step_weight=1), S1,
             [-0.261, 0.707, 0.707, 0.707, -1.414, -1.414, 0.784, 0.707]),
    "hgpo": (Hgpo(), S1, [1.732, 1.414, 1.092, -0.707, -0.935, -0.707, -0.577, -0.707]),
}  # fmt: skip
"""Side by side: t1 search, B1, buy; t2 B1, size 9; t3 B2; t4 search[shoes], buy."""


@pytest.mark.parametrize("name", list(COLUMNS))
def test_the_side_by_side_table_holds(name: str) -> None:
    scheme, worked, expected = COLUMNS[name]
    t1, t2, t3, t4 = table(scheme, worked)
    assert [*t1, t2[1], t2[2], t3[1], t4[0], t4[2]] == pytest.approx(expected, abs=6e-4)


def test_the_sign_of_a_shared_successor_tells_the_depth() -> None:
    """search[shoes] failed, but all that R2 led to was B1, from where another succeeded."""
    (_, _, _, (visit_mean, *_)) = table(G2po(episode_weight=0), S1)
    (_, _, _, (distance, *_)) = table(GraphGpo(episode_weight=0), S1)
    (_, _, _, (deep, *_)) = table(Graft(), S1)
    assert visit_mean < 0 == distance < deep


def test_an_action_is_credited_as_one_only_by_crbc() -> None:
    """t1 and t4 both buy at B1; one succeeded."""
    for scheme, shared in ((Crbc(episode_weight=0), True), (Graft(), False)):
        t1, _, _, t4 = table(scheme, S1)
        assert (t1[2] == t4[2]) is shared


@pytest.mark.parametrize("name", sorted({*SCHEMES} - {"gigpo", "hgpo"}))
def test_a_group_without_success_has_no_step_term(name: str) -> None:
    assert_table(table(credits.make(name), S1_FAILED), [[0.0] * n for n in (3, 4, 3, 3)])


# What goes wrong elsewhere.


# G2PO's edge term compares all turns with each other, not only these.
@pytest.mark.parametrize("name", sorted({*SCHEMES} - {"g2po"}))
def test_ties_give_exactly_zero_and_no_noise(name: str) -> None:
    """Eleven ways to one successor: the mean of equal numbers is off by a rounding, and eps of
    the same size would make advantages of it."""
    tied = group(*(ended(f"go {m}->x, end->END", 1.0, reward=0.1) for m in range(11)))
    assert table(credits.make(name), tied) == [[0.0, 0.0]] * 11


@pytest.mark.parametrize("name", ["crbc", "graft", "graphgpo", "graphhca", "rewardflow", "g2po"])
def test_the_last_turn_of_a_failure_never_leads_to_a_live_state(name: str) -> None:
    """GraphGPO's code takes the last observation for a state: here it is one turn from success."""
    won = ended("go->near, end->END", 1.0)
    stopped = replace(ended("wait->near", 0.0), status=Status.TRUNCATED_TURNS)
    scheme = credits.make(name)
    ((good, _), (bad,)) = table(scheme, group(won, stopped))
    assert good > 0 > bad
    lost = ended("wait->elsewhere", 0.0)
    assert table(scheme, group(won, lost)) == table(scheme, group(won, stopped))


@pytest.mark.parametrize(
    "status", [Status.TRUNCATED_TURNS, Status.TRUNCATED_TOKENS, Status.TRUNCATED_TIME]
)
def test_the_turn_at_the_limit_can_be_left_out_of_the_comparison(status: Status) -> None:
    won = ended("go->x, go->END", 1.0)
    lost = ended("go->x, no->END", 0.0)
    stopped = replace(ended("wait->start, wait->start", 0.0), status=status)
    spared = Graft(truncation="neutral")
    ((good, better), (_, bad), (wait, last)) = table(spared, group(won, lost, stopped))
    assert last == 0.0
    # The first wait is still a turn that led to no good, and a failure is still a failure.
    assert wait < 0 < good
    assert better > 0 > bad
    blamed = table(Graft(), group(won, lost, stopped))
    assert blamed[2][1] < 0
    scores = [scheme.scores(scheme.graph(g), g).tolist() for scheme in (spared, Graft())
              for g in [scored(group(won, lost, stopped))]]  # fmt: skip
    assert scores[0] == scores[1]


@pytest.mark.parametrize("name", ["g2po", "graphgpo", "graft", "crbc", "graphhca", "rewardflow"])
def test_a_shaped_outcome_is_still_a_success(name: str) -> None:
    """G2PO's code asks whether the reward is exactly 10; a penalty would make it a failure."""

    def penalised(member: Episode) -> Episode:
        turns = tuple(replace(t, channels={"penalty": -0.01}) for t in member.turns)
        return replace(member, turns=turns)

    shaped = group(*(penalised(member) for member in S1.episodes))
    channels = {"penalty": Channel(into="outcome")}
    scheme = credits.make(name)
    graph = scheme.graph(scored(S1))
    plain = scheme.step_term(graph, scored(S1))
    assert scheme.step_term(graph, scored(shaped, channels=channels)).tolist() == plain.tolist()


def test_similar_states_are_one_for_distances_and_for_comparing() -> None:
    """Other code merges for distances and compares among exact keys, here one turn each."""
    won = ended("a->shelf 1 has a mug, go->END", 1.0)
    lost = ended("b->shelf 2 has a mug, stay->END", 0.0)
    rows = table(GraphGpo(episode_weight=0, similarity=0.9), group(won, lost))
    assert_table(rows, [[0, 0.707107], [0, -0.707107]])
    rows = table(GraphGpo(episode_weight=0), group(won, lost))
    assert_table(rows, [[0.707107, 0], [-0.707107, 0]])


def test_a_state_left_once_gets_no_sign() -> None:
    """GRAFT divides a lone gain by itself; at the fixed point it is 0 up to the solver's error."""
    assert table(Graft(), group(ended("a->x, b->y, c->END", 1.0))) == [[0.0, 0.0, 0.0]]


def test_a_state_that_only_led_to_itself_has_value_zero() -> None:
    stuck = ended("wait->start, wait->start, wait->start", 0.0)
    scheme = Crbc()
    groups = scored(group(stuck))
    assert scheme.scores(scheme.graph(groups), groups).tolist() == [0.0, 0.0, 1.0]
    assert table(scheme, group(stuck)) == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize("name", SCHEMES)
def test_schemes_compare_what_their_papers_compare(name: str) -> None:
    """One look, two states."""
    scheme = credits.get(name)()
    left, right = (ended(f"go->x, {way}->END", 0.0) for way in ("left", "right"))
    first, *rest = right.turns
    first = replace(first, observation=replace(first.observation, state="x, holding a mug"))
    graph = scheme.graph(scored(group(left, replace(right, turns=(first, *rest)))))
    is_one = bool(graph.source[1] == graph.source[3])
    assert is_one is (name not in ("crbc", "graphgpo", "graphhca", "rewardflow"))


def test_one_key_may_end_an_episode_and_stand_inside_another() -> None:
    inside = ended("a->x, b->y, c->END", 1.0)
    at_end = ended("a->x", 0.0)
    groups = scored(group(inside, at_end))
    scheme = Graft(gamma=0.5)
    # start: half of what follows is x, worth 1/4, half is failure. x and y lie before success.
    values = scheme.scores(scheme.graph(groups), groups)
    assert values.tolist() == [0.5 * 0.25 / 2, 0.25, 0.5, 0.0, 1.0]


def test_a_cut_turn_is_an_edge_that_is_compared_with_nobody() -> None:
    cut = episode([turn("go", "x", finish="length"), turn("b", "END")], 0.0)
    whole = [ended("go->x, a->END", 1.0), ended("no->y, a->END", 0.0)]
    ((first, second), (good, _), (bad, _)) = table(Graft(), group(cut, *whole))
    assert first == 0.0 > second
    assert good == -bad == pytest.approx(0.707107, abs=1e-4)

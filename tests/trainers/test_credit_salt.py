"""SALT: worked tables, invariants, and equality with the dictionary oracle."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Hashable, Sequence
from pathlib import Path

import pytest
from graph_groups import S1 as S1_WON
from graph_groups import S1_FAILED
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scored import episode, group, scored, turn, turns

from agentgym.errors import UsageError
from agentgym.trainers.credit.grpo import Grpo
from agentgym.trainers.credit.layout import Layout
from agentgym.trainers.credit.salt import Base, Salt
from agentgym.trainers.credit.windows import Windows
from agentgym.types import Credited, Episode, Finish, Group
from oracles.outcome import BASES
from oracles.salt import Rollout, Step, edges, salt

quick = settings(max_examples=100)

Table = list[list[float]]

WINDOWS = [1, 2, 3]
ALL_BASES: list[Base] = ["mean", "rloo", "grpo_sample", "grpo_population"]

S1 = group(
    episode(turns("search[red shoes]->R1, click[B1]->B1, buy->END"), 1.0),
    episode(turns("search[red shoes]->R1, click[B1]->B1, click[size 9]->B1s, buy->END"), 0.0),
    episode(turns("search[red shoes]->R1, click[B2]->B2, buy->END"), 0.0),
    episode(turns("search[shoes]->R2, click[B1]->B1, buy->END"), 0.5),
)
S2 = group(
    episode(turns("search->R1, next->P2, prev->R1, buy->END"), 1.0),
    episode(turns("search->R1, next->P2, prev->R1, next->P2, prev->R1, quit->END"), 0.0),
)
S1_LONG: dict[Base, Table] = {
    "mean": [
        [-0.041667, 0.125, 0.625],
        [-0.041667, 0.125, -0.375, -0.375],
        [-0.041667, -0.375, -0.375],
        [0.125, 0.125, 0.125],
    ],
    "rloo": [
        [-0.055556, 0.166667, 0.833333],
        [-0.055556, 0.166667, -0.5, -0.5],
        [-0.055556, -0.5, -0.5],
        [0.166667, 0.166667, 0.166667],
    ],
    "grpo_sample": [
        [-0.087039, 0.261116, 1.305580],
        [-0.087039, 0.261116, -0.783348, -0.783348],
        [-0.087039, -0.783348, -0.783348],
        [0.261116, 0.261116, 0.261116],
    ],
    "grpo_population": [
        [-0.100504, 0.301511, 1.507553],
        [-0.100504, 0.301511, -0.904532, -0.904532],
        [-0.100504, -0.904532, -0.904532],
        [0.301511, 0.301511, 0.301511],
    ],
}
"""Windows 2 and 3."""
S1_LAST_AT_1: dict[Base, float] = {
    "mean": 0.375,
    "rloo": 0.5,
    "grpo_sample": 0.783348,
    "grpo_population": 0.904532,
}
"""With window 1 the first and the fourth episode end on one edge."""
S2_TABLE: dict[int, Table] = {
    1: [
        [0, 0, -0.166667, 0.5],
        [0, 0, -0.166667, -0.5, -0.166667, -0.5],
    ],
    2: [[0, 0, 0, 0.5], [0, 0, 0, -0.5, -0.5, -0.5]],
    3: [[0, 0, 0, 0.5], [0, 0, 0, -0.5, -0.5, -0.5]],
}
"""Base "mean"."""


def only_group(credited: Credited) -> Table:
    (members,) = credited.advantages
    return [list(member) for member in members]


def assert_close(got: Table, expected: Table, *, tolerance: float = 1e-6) -> None:
    assert [len(row) for row in got] == [len(row) for row in expected]
    for mine, row in zip(got, expected, strict=True):
        assert mine == pytest.approx(row, abs=tolerance)


@pytest.mark.parametrize("base", ALL_BASES)
@pytest.mark.parametrize("key_window", WINDOWS)
def test_s1_has_the_worked_advantages(base: Base, key_window: int) -> None:
    expected = [list(row) for row in S1_LONG[base]]
    if key_window == 1:
        expected[0][-1] = expected[3][-1] = S1_LAST_AT_1[base]
    assert_close(only_group(Salt(key_window=key_window, base=base)(scored(S1))), expected)


# R = [1, 0]: RLOO doubles the centred values, the sample deviation is .707107, the other .5.
@pytest.mark.parametrize(
    ("base", "scale"),
    [("mean", 1.0), ("rloo", 2.0), ("grpo_sample", 1.414212), ("grpo_population", 1.999996)],
)
@pytest.mark.parametrize("key_window", WINDOWS)
def test_s2_counts_a_loop_as_often_as_it_was_run_through(
    base: Base, scale: float, key_window: int
) -> None:
    expected = [[scale * value for value in row] for row in S2_TABLE[key_window]]
    assert_close(only_group(Salt(key_window=key_window, base=base)(scored(S2))), expected)


# With window 1 the states are ROOT, R1, R2, B1, B1s, B2, left by 4, 3, 1, 3, 1, 1 turns; the first
# two and B1 by more than one action. With longer ones B1 is two states: that behind R1, left by 2
# turns (buy, click), and that behind R2, left by 1.
@pytest.mark.parametrize(
    ("key_window", "num_edges", "num_merged", "num_rivals", "num_singletons", "num_states"),
    [(1, 3, 7, 4 + 3 + 3, 3, 6), (2, 2, 5, 4 + 3 + 2, 4, 7), (3, 2, 5, 4 + 3 + 2, 4, 7)],
)
@pytest.mark.parametrize("base", ALL_BASES)
def test_s1_has_the_worked_metrics(
    base: Base,
    key_window: int,
    num_edges: int,
    num_merged: int,
    num_rivals: int,
    num_singletons: int,
    num_states: int,
) -> None:
    metrics = Salt(key_window=key_window, base=base)(scored(S1)).metrics
    assert metrics == pytest.approx(
        {
            "credit/zero_groups": 0.0,
            "salt/num_merged_edges": num_edges,
            "salt/changed_rate": num_merged / 13,
            "salt/unmergeable_rate": 0.0,
            "graph/merge_rate": num_merged / 13,
            "graph/rivals": num_rivals / 13,
            # In the tables, ROOT, R1 and B1 each lead to more than one number.
            "graph/ties": 0.0,
            "graph/singletons": num_singletons / num_states,
            # No episode comes back to a state, so each of the 13 turns is a visitor.
            "graph/reach": 13 / num_states,
            "graph/won_groups": 0.0,
        }
    )


def test_a_group_without_success_ties_everywhere() -> None:
    """Its 9 turns with a rival, and none of the 9 in the group with one."""
    metrics = Salt()(scored(S1_WON, S1_FAILED)).metrics
    assert (metrics["graph/ties"], metrics["graph/won_groups"]) == (0.5, 0.5)


# Window 1: ROOT, R1, P2 are left by one action, (prev, R1) by buy, next and quit. Window 3: the
# loop's second round has states of its own; only the first (prev, R1) is left by buy and next.
@pytest.mark.parametrize(
    ("key_window", "merge_rate", "rivals", "singletons", "reach"),
    [(1, 7 / 10, 3 / 10, 0.0, (2 + 2 + 2 + 2) / 4), (3, 6 / 10, 2 / 10, 2 / 6, 10 / 6)],
)
def test_s2_counts_visitors_and_not_visits(
    key_window: int, merge_rate: float, rivals: float, singletons: float, reach: float
) -> None:
    metrics = Salt(key_window=key_window)(scored(S2)).metrics
    names = ("merge_rate", "rivals", "singletons", "reach")
    found = [metrics[f"graph/{name}"] for name in names]
    assert found == pytest.approx([merge_rate, rivals, singletons, reach])


def test_rivals_tie_where_all_that_left_their_state_have_one_advantage() -> None:
    """b ties with c, for both were won; a does not tie with d."""
    won = (episode(turns(steps), 1.0) for steps in ("a->1, b->2", "a->1, c->3"))
    metrics = Salt()(scored(group(*won, episode(turns("d->4"), 0.0)))).metrics
    assert (metrics["graph/rivals"], metrics["graph/ties"]) == (1.0, 2 / 5)
    # a and b, each won once and lost once: what their episodes have differs, the means do not.
    mixed = group(*(episode(turns(a), score) for a in ("a->1", "b->2") for score in (1.0, 0.0)))
    metrics = Salt()(scored(mixed)).metrics
    assert (metrics["graph/rivals"], metrics["graph/ties"]) == (1.0, 1.0)


def test_s1_keeps_the_worked_sum_over_all_turns() -> None:
    """3 x .625 - 4 x .375 - 3 x .375 + 3 x .125 = -.375. Weighted by tokens no sum is kept."""
    (members,) = Salt(base="mean")(scored(S1)).advantages
    assert sum(map(sum, members)) == pytest.approx(-0.375)
    # A shared first turn in which the winner said four times as much.
    talk, brief = turn("go", "x", num_tokens=4), turn("go", "x")
    uneven = group(episode([talk, turn("a", "y")], 1.0), episode([brief, turn("b", "z")], 0.0))
    (((shared, _), _),) = Salt(base="mean")(scored(uneven)).advantages
    assert (4 * 0.5 - 0.5, (4 + 1) * shared) == (1.5, 0.0)


def test_with_a_window_as_long_as_the_episodes_the_graph_is_a_tree() -> None:
    """Short windows let branches join again: in S2 the loop comes back to states it has been in."""
    for worked, depth in ((S1, 4), (S2, 6)):
        found = scored(worked)
        windows = Windows.of(found, Layout.of(found))
        for window, is_tree in ((1, False), (depth, True)):
            before, _, after = windows.walk(window)
            parents: dict[int, set[int]] = {}
            for child, parent in zip(after.tolist(), before.tolist(), strict=True):
                parents.setdefault(child, set()).add(parent)
            assert all(len(found) == 1 for found in parents.values()) is is_tree


def test_merging_equal_credit_is_no_change() -> None:
    twins = group(*(episode(turns("a->1, b->2"), score) for score in (1.0, 1.0, 1.0)))
    other = episode(turns("c->3"), 0.0)
    metrics = Salt()(scored(group(*twins.episodes, other))).metrics
    assert metrics["graph/merge_rate"] == pytest.approx(6 / 7)
    assert metrics["salt/changed_rate"] == 0.0


def pair_of_rollouts(failure: str, success: str) -> Group:
    """Advantages -1 and +1 under the base "mean"."""
    return group(episode(turns(failure), 0.0), episode(turns(success), 2.0))


@pytest.mark.parametrize(
    ("failure", "success", "key_window", "expected"),
    [
        ("look->x, wrong->y", "look->x, recover->z", 3, [[0, -1], [0, 1]]),
        ("look->x, go->y", "look->other, go->y", 3, [[-1, -1], [1, 1]]),
        ("one->x, go->y, end->z", "two->w, go->y, end->z", 3, [[-1, -1, -1], [1, 1, 1]]),
        ("one->x, go->y", "two->w, go->y", 1, [[-1, -1], [1, 1]]),
    ],
    ids=["shared start", "another observation", "another past", "another source, window 1"],
)
def test_edges_merge_only_where_state_action_and_observation_agree(
    failure: str, success: str, key_window: int, expected: Table
) -> None:
    groups = scored(pair_of_rollouts(failure, success))
    assert only_group(Salt(key_window=key_window, base="mean")(groups)) == expected


def test_episodes_that_began_differently_share_no_start() -> None:
    here = episode(turns("go->x, go->y"), 0.0, first="kitchen")
    there = episode(turns("go->x, go->y"), 2.0, first="garden")
    # The second edge starts at (go, x) in both: with window 1 the start is forgotten by then.
    groups = scored(group(here, there))
    assert only_group(Salt(key_window=1, base="mean")(groups)) == [[-1, 0], [1, 0]]
    assert only_group(Salt(key_window=3, base="mean")(groups)) == [[-1, -1], [1, 1]]


def test_an_invalid_turn_is_keyed_by_its_reason_and_not_by_an_action_of_that_name() -> None:
    invalid = [episode([turn(None, "x")], score) for score in (0.0, 3.0)]
    action = episode([turn("no action", "x")], 0.0)
    advantages = only_group(Salt(base="mean")(scored(group(*invalid, action))))
    assert advantages == [[0.5], [0.5], [-1.0]]


def test_a_cut_turn_keeps_its_own_advantage_and_changes_no_other() -> None:
    cut = episode([turn("go", "x", finish="length"), turn("end", "y")], 0.0)
    whole = episode(turns("go->x, end->y"), 2.0)
    credited = Salt(base="mean")(scored(group(cut, whole)))
    # It keeps its place, though: the turns after it still start from the same state.
    assert only_group(credited) == [[-1, 0], [1, 0]]
    assert credited.metrics["salt/unmergeable_rate"] == 0.25
    assert credited.metrics["graph/merge_rate"] == 0.5


def test_a_cut_turn_has_no_rival_and_is_none() -> None:
    cut = episode([turn("a", "x", finish="length")], 1.0)
    b, c = (episode(turns(steps), 0.0) for steps in ("b->y", "c->z"))
    assert Salt()(scored(group(cut, b))).metrics["graph/rivals"] == 0.0
    metrics = Salt()(scored(group(cut, b, c))).metrics
    # b ties with c, whatever the cut turn has.
    assert (metrics["graph/rivals"], metrics["graph/ties"]) == (2 / 3, 1.0)
    assert (metrics["graph/singletons"], metrics["graph/reach"]) == (0.0, 3.0)


def test_groups_never_merge_with_each_other() -> None:
    other = group(*S2.episodes, *S1.episodes)
    together = Salt()(scored(S1, S2, other)).advantages
    assert together == tuple(Salt()(scored(alone)).advantages[0] for alone in (S1, S2, other))


def test_a_window_longer_than_every_episode_still_sees_where_it_began() -> None:
    here, there = (episode(turns("go->x"), score, first=str(score)) for score in (0.0, 2.0))
    assert only_group(Salt(key_window=50, base="mean")(scored(group(here, there)))) == [[-1], [1]]


def test_without_shared_edges_salt_is_its_base() -> None:
    alone = group(
        *(
            episode(turns(", ".join(f"{m}{k}->{m}{k}" for k in range(4))), score)
            for m, score in enumerate([0.1, 0.7, 0.0])
        )
    )
    credited = Salt()(scored(alone))
    assert credited.metrics["graph/merge_rate"] == 0.0
    assert credited.advantages == Grpo()(scored(alone)).advantages


def test_identical_episodes_get_no_credit() -> None:
    same = group(*(episode(turns("a->1, b->2, a->1"), score) for score in (1.0, 0.0, 0.3)))
    credited = Salt()(scored(same))
    assert_close(only_group(credited), [[0.0] * 3] * 3, tolerance=1e-12)
    assert credited.metrics["credit/zero_groups"] == 1.0


FINISHES: list[Finish] = ["stop", "stop", "stop", "stop", "stop", "length"]


@st.composite
def members(draw: st.DrawFn) -> Episode:
    """Episodes over so few actions and observations that edges, loops and invalid turns recur."""
    actions, keys = st.sampled_from(["a", "b", None]), st.sampled_from(["x", "y"])
    finishes = st.sampled_from(FINISHES)
    steps = draw(st.lists(st.tuples(actions, keys, finishes), max_size=8))
    score = draw(st.integers(-4, 4)) / 4
    first = draw(st.sampled_from(["start", "start", "elsewhere"]))
    return episode([turn(a, o, finish=f) for a, o, f in steps], score, first=first)


batches = st.lists(st.lists(members(), max_size=6), max_size=4)
setups = st.tuples(st.integers(1, 4), st.sampled_from(ALL_BASES))


def rollouts(episodes: Sequence[Episode]) -> list[Rollout]:
    return [
        Rollout(
            first=member.first.key if member.first else "",
            steps=[
                Step(
                    action=turn.action if turn.invalid is None else ("invalid", turn.invalid),
                    observation=turn.observation.key,
                    cut=turn.finish != "stop",
                )
                for turn in member.turns
            ],
        )
        for member in episodes
    ]


def oracle(episodes: Sequence[Episode], key_window: int, base: Base) -> Table:
    outcomes = [member.score or 0.0 for member in episodes]
    return salt(rollouts(episodes), BASES[base](outcomes) if outcomes else [], key_window)


@quick
@given(batches, setups)
def test_random_batches_equal_the_oracle(
    batch: list[list[Episode]], setup: tuple[int, Base]
) -> None:
    key_window, base = setup
    credited = Salt(key_window=key_window, base=base)(scored(*(group(*row) for row in batch)))
    for got, row in zip(credited.advantages, batch, strict=True):
        expected = oracle(row, key_window, base)
        assert_close([list(member) for member in got], expected, tolerance=1e-9)


def slow_comparisons(
    batch: Sequence[Sequence[Episode]], key_window: int, credited: Credited
) -> dict[str, float]:
    """The shares by dictionaries: of each state who left it, what for, and what that got."""
    left: dict[Hashable, list[tuple[Hashable, Step, float]]] = {}
    for g, (row, members) in enumerate(zip(batch, credited.advantages, strict=True)):
        for m, (rollout, credit) in enumerate(zip(rollouts(row), members, strict=True)):
            for step, edge, a in zip(
                rollout.steps, edges(rollout, key_window), credit, strict=True
            ):
                left.setdefault((g, edge[0]), []).append((m, step, a))
    num_turns = sum(map(len, left.values()))
    num_rivals = num_ties = 0
    for visits in left.values():
        compared = [(step.action, a) for _, step, a in visits if not step.cut]
        if len({action for action, _ in compared}) > 1:
            num_rivals += len(compared)
            credits = [a for _, a in compared]
            num_ties += len(compared) * (max(credits) - min(credits) < 1e-9)
    return {
        "graph/rivals": num_rivals / max(num_turns, 1),
        "graph/ties": num_ties / max(num_rivals, 1),
        "graph/singletons": sum(len(v) == 1 for v in left.values()) / max(len(left), 1),
        "graph/reach": sum(len({m for m, _, _ in v}) for v in left.values()) / max(len(left), 1),
    }


@quick
@given(batches, setups)
def test_random_batches_have_the_metrics_that_dictionaries_give(
    batch: list[list[Episode]], setup: tuple[int, Base]
) -> None:
    key_window, base = setup
    credited = Salt(key_window=key_window, base=base)(scored(*(group(*row) for row in batch)))
    expected = slow_comparisons(batch, key_window, credited)
    assert {name: credited.metrics[name] for name in expected} == pytest.approx(expected)


def test_every_process_gives_the_same_numbers() -> None:
    program = (
        "from test_credit_salt import S1, S2\n"
        "from agentgym.trainers.credit.salt import Salt\n"
        "from scored import scored\n"
        "print(Salt(key_window=1)(scored(S1, S2)))\n"
    )
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parent)])
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {f"{Salt(key_window=1)(scored(S1, S2))}\n"}


def by_first_word(actions: Sequence[str]) -> list[str]:
    return [action.split()[0] for action in actions]


def none_at_all(actions: Sequence[str]) -> list[str]:
    return []


def test_actions_are_as_equal_as_the_given_keys() -> None:
    free = group(episode(turns("go now->x"), 0.0), episode(turns("go later->x"), 2.0))
    assert only_group(Salt(base="mean")(scored(free))) == [[-1], [1]]
    alike = Salt(base="mean", action_keys=f"{__name__}:by_first_word")
    assert only_group(alike(scored(free))) == [[0], [0]]
    # Neither a key nor an action is ever taken for the reason of an invalid turn.
    invalid = group(episode(turns("None->x"), 0.0), episode([turn(None, "x")], 2.0))
    assert only_group(alike(scored(invalid))) == [[-1], [1]]


def test_a_key_too_few_is_named() -> None:
    scheme = Salt(action_keys=f"{__name__}:none_at_all")
    with pytest.raises(UsageError, match="0 keys for 3 actions"):
        scheme(scored(pair_of_rollouts("a->x", "b->x, c->x")))


def test_a_window_below_one_is_refused() -> None:
    with pytest.raises(ValidationError, match="key_window"):
        Salt(key_window=0)

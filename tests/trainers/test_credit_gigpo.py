"""GiGPO: the numbers of its released code, both norms and both baselines."""

from __future__ import annotations

import numpy as np
import pytest
from graph_groups import S1, S1_PAID, Table, assert_table, random_groups, table
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import ended, episode, group, scored, turn

from agentgym.trainers.credit.gigpo import Gigpo
from agentgym.trainers.credit.graph_scheme import Baseline
from agentgym.trainers.credit.grpo import Grpo
from agentgym.trainers.credit.igpo import returns
from agentgym.trainers.credit.layout import Layout, turn_rewards
from agentgym.trainers.credit.normalize import Std

STEP_MEAN: Table = [
    [0.564062, 0.633333, 0.5],
    [-0.338437, -0.316667, -0.5, 0.0],
    [-0.338437, -0.316667, 0.0],
    [0.112812, 0.0, 0.0],
]
"""Returns .9025 .95 1 | 0 0 0 0 | 0 0 0 | .45125 .475 .5; ROOT has four, R1 and B1 three."""
TOTALS: dict[Std, Table] = {
    "none": [
        [1.217909, 1.287179, 1.153846],
        [-0.684591, -0.662821, -0.846154, -0.346154],
        [-0.684591, -0.662821, -0.346154],
        [0.266659, 0.153846, 0.153846],
    ],
    "sample": [
        [2.835308, 2.684427, 2.529727],
        [-1.593204, -1.387206, -1.809854, -0.809856],
        [-1.593204, -1.387206, -0.809856],
        [0.621052, 0.359936, 0.359936],
    ],
}
"""With the row-weighted episode term, as the released functions give them."""
EPISODE: dict[Baseline, list[float]] = {
    "turns": [0.653846, -0.346154, -0.346154, 0.153846],
    "episodes": [0.625, -0.375, -0.375, 0.125],
}


def test_the_step_term_is_the_return_less_the_mean_of_the_state() -> None:
    assert_table(table(Gigpo(std="none", episode_weight=0), S1_PAID), STEP_MEAN)


def test_s1_has_the_worked_returns() -> None:
    groups = scored(S1_PAID)
    found = returns(turn_rewards(groups), Layout.of(groups), gamma=0.95)
    expected = [0.9025, 0.95, 1.0, *[0.0] * 7, 0.45125, 0.475, 0.5]
    assert found.tolist() == pytest.approx(expected, abs=1e-12)


@settings(max_examples=100)
@given(st.integers(0, 2**32))
def test_advantages_do_not_drift_from_zero(seed: int) -> None:
    """verl-agent#264: each episode once, the episode term sums to 0, and each state's term too."""
    groups = scored(*random_groups(seed))
    scheme = Gigpo(step_weight=0, std="none")
    for members, found in zip(groups, scheme(groups).advantages, strict=True):
        if all(member.episode.turns for member in members.members):
            assert sum(row[0] for row in found) == pytest.approx(0.0, abs=1e-9)
    graph = scheme.graph(groups)
    step = scheme.step_term(graph, groups)
    sums = np.bincount(graph.source, weights=step, minlength=graph.num_states)
    assert np.abs(sums).max(initial=0.0) < 1e-9


@pytest.mark.parametrize("std", list(TOTALS))
def test_totals_are_those_of_the_released_code(std: Std) -> None:
    assert_table(table(Gigpo(std=std, baseline="turns"), S1_PAID), TOTALS[std])


@pytest.mark.parametrize("baseline", list(EPISODE))
def test_an_episode_counts_once_or_once_per_turn(baseline: Baseline) -> None:
    rows = table(Gigpo(std="none", baseline=baseline, step_weight=0), S1_PAID)
    assert_table(rows, [[a] * len(row) for a, row in zip(EPISODE[baseline], rows, strict=True)])


def test_by_default_the_episode_term_does_not_depend_on_lengths() -> None:
    """verl-agent#138: weighted by turns, one long failure moves everybody's baseline."""
    short, long = ended("a->1", 0.0), ended("a->1, b->2, c->3, d->4", 0.0)
    won = ended("z->9", 1.0)
    for failure in (short, long):
        ((first, *_), _) = table(Gigpo(step_weight=0), group(won, failure))
        assert first == pytest.approx(0.5 / (0.5**0.5 + 1e-6))
    weighted = Gigpo(step_weight=0, baseline="turns", std="none")
    assert table(weighted, group(won, long))[0] == pytest.approx([1 - 1 / 5])


def test_binary_rewards_give_the_side_by_side_column() -> None:
    rows = table(Gigpo(episode_weight=0), S1)
    z = 0.577
    expected = [[1.5, 1.155, 1.155], [-0.5, -z, -z, 0], [-0.5, -z, 0], [-0.5, 0, -z]]
    assert_table(rows, expected, tolerance=1e-3)


def test_equal_returns_give_exactly_zero_and_no_noise() -> None:
    """Eleven returns of .1: their mean is off by a rounding, and eps alone would enlarge it."""
    same = group(*(ended("go->x", 0.1) for _ in range(11)))
    assert table(Gigpo(), same) == [[0.0]] * 11


def test_it_reads_turn_rewards_and_not_the_score() -> None:
    silent = group(ended("go->x", 1.0, reward=0.0), ended("go->y", 0.0))
    assert table(Gigpo(episode_weight=0), silent) == [[0.0], [0.0]]
    paid = [episode([turn("go", "x", reward=r)], 0.0) for r in (0.0, 2.0)]
    assert table(Gigpo(std="none"), group(*paid)) == [[-1.0], [1.0]]


def test_states_are_equal_keys_whatever_came_before() -> None:
    here, there = ended("one->x, go->y", 1.0), ended("two->x, go->z", 0.0)
    rows = table(Gigpo(episode_weight=0, std="none"), group(here, there))
    assert rows == [[pytest.approx(0.475), 0.5], [pytest.approx(-0.475), -0.5]]


def test_similar_states_are_one_when_asked() -> None:
    won = ended("a->shelf 1 has a mug, go->end", 1.0)
    lost = ended("b->shelf 2 has a mug, go->end", 0.0)
    strict = Gigpo(episode_weight=0, std="none")
    assert [row[1] for row in table(strict, group(won, lost))] == [0.0, 0.0]
    loose = Gigpo(episode_weight=0, std="none", similarity=0.9)
    assert [row[1] for row in table(loose, group(won, lost))] == [0.5, -0.5]


def test_a_cut_turn_is_compared_with_nobody() -> None:
    cut = episode([turn("go", "x", finish="length", reward=5.0)], 0.0)
    whole = [ended("go->x", 1.0), ended("go->x", 0.0)]
    rows = table(Gigpo(episode_weight=0, std="none"), group(cut, *whole))
    assert rows == [[0.0], [0.5], [-0.5]]


def test_without_a_shared_state_it_is_grpo() -> None:
    alone = group(
        *(ended(f"{m}a->{m}x, {m}b->{m}y", score) for m, score in enumerate((1.0, 0.0, 0.3)))
    )
    # The first state is everybody's, so the episodes have to begin apart, too.
    apart = group(
        *(
            episode(member.turns, member.score, first=str(m))
            for m, member in enumerate(alone.episodes)
        )
    )
    assert Gigpo()(scored(apart)).advantages == Grpo()(scored(apart)).advantages

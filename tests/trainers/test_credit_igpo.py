"""IGPO's combination: worked tables, explicit turns, degenerate groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import episode, gained, group, scored

from agentgym.trainers.credit.cigpo import Cigpo
from agentgym.trainers.credit.igpo import Igpo
from agentgym.trainers.rewards import Answer
from agentgym.trainers.rewards.information_gain import InformationGain
from agentgym.types import Credited, EpisodeId, Status, Task
from oracles.igpo import igpo

Rows = Sequence[Sequence[float | None]]

SCORES = [[-3.0, -2.2, -0.5], [-3.0, -3.5, -1.5]]
"""I2: the gold answer's score before turn 1, 2 and 3, in two episodes."""


def credit(scheme: Igpo, gains: Rows, outcomes: Sequence[float]) -> Credited:
    members = [episode(gained(row), outcome) for row, outcome in zip(gains, outcomes, strict=True)]
    return scheme(scored(group(*members)))


def advantages(scheme: Igpo, gains: Rows, outcomes: Sequence[float]) -> list[list[float]]:
    (members,) = credit(scheme, gains, outcomes).advantages
    return [list(member) for member in members]


def gains_of(difference: Literal["log", "prob"]) -> list[list[float | None]]:
    """I2's gains, by way of the reward channel."""
    task = Task(id="t", split="s", seed=0, secret={"answers": ["gold"]})
    played = episode(gained([None] * 3), 0.0)
    channel = InformationGain(difference=difference)
    return [
        list(channel.score(played, task, [Answer(logprobs=((score,),)) for score in scores]))
        for scores in SCORES
    ]


def close(rows: Sequence[Sequence[float]], expected: Sequence[Sequence[float]]) -> bool:
    return all(
        mine == pytest.approx(row, abs=2e-6) for mine, row in zip(rows, expected, strict=True)
    )


def test_i2_has_the_worked_gains() -> None:
    log, prob = gains_of("log"), gains_of("prob")
    assert log[0][:2] == pytest.approx([0.8, 1.7])
    assert log[1][:2] == pytest.approx([-0.5, 2.0])
    assert prob[0][:2] == pytest.approx([0.061016, 0.495728], abs=1e-6)
    assert prob[1][:2] == pytest.approx([-0.019590, 0.192933], abs=1e-6)
    assert [row[2] for row in (*log, *prob)] == [None] * 4


@pytest.mark.parametrize(
    ("difference", "fields", "first", "second"),
    [
        ("log", {}, [1.514341, 1.720078, 0.999997], [-1.514341, 0.028691, -0.999997]),
        ("log", {"gamma": 0.9}, [1.252333, 1.620079, 0.999997], [-1.427210, 0.128691, -0.999997]),
        (
            "log",
            {"norm": "joint"},
            [0.970141, 1.091409, 0.121268],
            [-0.970141, 0.727606, -0.606338],
        ),
        (
            "log",
            {"norm": "joint", "gamma": 0.9},
            [0.850086, 1.079282, 0.121268],
            [-0.988332, 0.788240, -0.606338],
        ),
        ("log", {"std": "none"}, [0.8, 1.0, 0.3], [-0.8, 0.7, -0.3]),
        ("prob", {}, [1.977561, 2.597172, 0.999997], [-1.977562, -0.946906, -0.999997]),
        (
            "prob",
            {"norm": "joint"},
            [1.449034, 2.315443, 1.900763],
            [-1.449034, -0.345081, 0.132572],
        ),
    ],
)
def test_i2_has_the_worked_returns(
    difference: Literal["log", "prob"],
    fields: dict[str, Any],
    first: list[float],
    second: list[float],
) -> None:
    rows = advantages(Igpo(**fields), gains_of(difference), [1.0, 0.4])
    assert close(rows, [first, second])


def test_i2_has_the_worked_scores() -> None:
    """Mean 1.0 and deviation .962289 of the four gains; nothing is summed."""
    rows = advantages(Igpo(gamma=0.0), gains_of("log"), [1.0, 0.4])
    assert close(rows, [[-0.205738, 0.720082, 0.999997], [-1.543032, 1.028688, -0.999997]])


@pytest.mark.parametrize(
    ("norm", "first", "second"),
    [
        ("separate", [1.514341, 1.720078, 0.999997], [-1.514341, 0.028691, -0.999997]),
        ("joint", [0.970141, 1.091409, 0.121268], [-0.970141, 0.727606, -0.606338]),
    ],
)
def test_an_episode_that_a_limit_ended_is_credited_like_any_other(
    norm: Literal["separate", "joint"], first: list[float], second: list[float]
) -> None:
    """It never answered: its last turn, cut or not, has the outcome and no gain."""
    good, bad = (episode(gained(row), o) for row, o in zip(gains_of("log"), (1, 0.4), strict=True))
    *before, last = bad.turns
    stopped = replace(
        bad,
        turns=(*before, replace(last, finish="length", action=None, invalid="cut")),
        status=Status.TRUNCATED_TOKENS,
    )
    (rows,) = Igpo(norm=norm)(scored(group(good, stopped))).advantages
    assert close(rows, [first, second])


def test_gains_teach_where_all_outcomes_are_equal() -> None:
    rows = advantages(Igpo(), gains_of("log"), [0.0, 0.0])
    assert close(rows, [[0.514344, 0.720082, 0.0], [-0.514344, 1.028688, 0.0]])


def test_i3_a_gain_equal_to_the_mean_keeps_its_turn() -> None:
    # Gains 1 2 | 2 3: mean 2, deviation .707107. z = -1.414214, 0 | 0, 1.414214; outcomes +-1.
    # A: 1, .5 * 1, -1.414214 + .5 * .5. B: -1, 1.414214 - .5, 0 + .5 * .914214.
    rows = advantages(Igpo(gamma=0.5, eps=0.0), [[1.0, 2.0, None], [2.0, 3.0, None]], [1.0, 0.0])
    assert close(rows, [[-1.164214, 0.5, 1.0], [0.457107, 0.914214, -1.0]])


def test_an_episode_of_one_turn_has_its_outcome_alone() -> None:
    rows = advantages(Igpo(std="none"), [[None], [0.4, 0.8, None]], [1.0, 0.0])
    assert close(rows, [[0.5], [-0.5, -0.3, -0.5]])


def test_a_single_episode_has_gains_but_no_outcome_to_compare() -> None:
    (row,) = advantages(Igpo(eps=0.0), [[1.0, 3.0, None]], [1.0])
    assert row == pytest.approx([0.0, 1.0, 0.0])


def test_a_turn_without_a_gain_adds_nothing_and_still_counts_for_the_discount() -> None:
    rows = advantages(Igpo(std="none", gamma=0.5), [[None, None, None], [None]], [1.0, 0.0])
    assert close(rows, [[0.125, 0.25, 0.5], [-0.5]])


@pytest.mark.parametrize("norm", ["separate", "joint"])
def test_rounding_noise_in_gains_is_not_enlarged(norm: Literal["separate", "joint"]) -> None:
    credited = credit(Igpo(norm=norm), [[1e-7, -1e-7, None], [2e-7, 0.0, None]], [0.0, 0.0])
    assert credited.advantages == (((0.0,) * 3, (0.0,) * 3),)
    assert credited.metrics["credit/zero_groups"] == 1.0


def test_the_metrics_describe_the_raw_gains() -> None:
    metrics = credit(Igpo(), [[1.0, 3.0, None], [None]], [1.0, 0.0]).metrics
    assert metrics == {
        "credit/zero_groups": 0.0,
        "igpo/gain_mean": 2.0,
        "igpo/gain_std": 1.0,
        "igpo/gain_share": 0.5,
    }


def test_clipped_gains_count_as_much_as_the_bound() -> None:
    rows = advantages(Igpo(std="none", clip=1.0), [[9.0, -9.0, None], [0.0, None]], [0.0, 0.0])
    # 1, -1, 0 with mean 0; the first turn gets 1 - 1.
    assert close(rows, [[0.0, -1.0, 0.0], [0.0, 0.0]])


def test_weights_ramp_with_the_train_step_and_then_hold() -> None:
    scheme = Igpo(std="none", gain_weight=(1.0, 0.5), outcome_weight=(0.5, 1.0), ramp_steps=10)
    found = []
    for step in (0, 5, 10, 99):
        members = [episode(gained([1.0, None]), 1.0), episode(gained([-1.0, None]), 0.0)]
        at = [replace(m, id=EpisodeId(step=step, group=0, member=0)) for m in members]
        ((first, _),) = scheme(scored(group(*at))).advantages
        found.append(first)
    # A gain of 1 and an outcome of .5, weighted: (1, .5), (.75, .75), (.5, 1) from step 10 on.
    assert close(found, [[1.25, 0.25], [1.125, 0.375], [1.0, 0.5], [1.0, 0.5]])


@pytest.mark.parametrize(
    ("weight", "first", "second"),
    [
        (0.1, [-0.017817, 0.062361, 0.707105], [-0.133631, 0.089087, -0.707105]),
        (0.3, [-0.053452, 0.187083, 0.707105], [-0.400892, 0.267261, -0.707105]),
    ],
)
def test_cigpo_has_the_worked_numbers_of_i2(
    weight: float, first: list[float], second: list[float]
) -> None:
    scheme = Cigpo(gain_weight=(weight, weight))
    assert close(advantages(scheme, gains_of("log"), [1.0, 0.4]), [first, second])


def test_cigpos_weight_comes_after_the_score_or_it_would_do_nothing() -> None:
    light, heavy = (
        advantages(Cigpo(gain_weight=(w, w), eps=0.0), gains_of("log"), [0.0, 0.0])
        for w in (0.1, 0.3)
    )
    assert close(heavy, [[3 * value for value in row] for row in light])


def test_cigpo_begins_at_a_tenth_and_ends_at_three() -> None:
    assert (Cigpo().gain_weight, Cigpo().clip, Cigpo().gamma) == ((0.1, 0.3), 50.0, 0.0)


gain = st.one_of(st.none(), st.integers(-20, 20).map(lambda n: n / 4))
rollout = st.tuples(st.lists(gain, min_size=1, max_size=6), st.integers(0, 4).map(float))


@settings(max_examples=500)
@given(
    st.lists(rollout, min_size=1, max_size=6),
    st.sampled_from(["separate", "joint"]),
    st.sampled_from(["population", "none"]),
    st.sampled_from([0.0, 0.5, 0.9, 1.0]),
)
def test_random_groups_equal_the_oracle(
    rollouts: list[tuple[list[float | None], float]],
    norm: Literal["separate", "joint"],
    std: Literal["population", "none"],
    gamma: float,
) -> None:
    gains, outcomes = [row for row, _ in rollouts], [outcome for _, outcome in rollouts]
    got = advantages(Igpo(norm=norm, std=std, gamma=gamma), gains, outcomes)
    expected = igpo(gains, outcomes, joint=norm == "joint", std=std == "population", gamma=gamma)
    for mine, row in zip(got, expected, strict=True):
        assert mine == pytest.approx(row, abs=1e-9)

"""GRPO, Dr. GRPO and RLOO: one advantage an episode."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scored import episode, group, scored, turns

from agentgym.trainers.credit.dr_grpo import DrGrpo
from agentgym.trainers.credit.grpo import Grpo
from agentgym.trainers.credit.normalize import normalize
from agentgym.trainers.credit.rloo import Rloo
from agentgym.types import Credited
from oracles.outcome import BASES

quick = settings(max_examples=100)

Scheme: TypeAlias = Grpo | DrGrpo | Rloo
SCHEMES: dict[str, Scheme] = {
    "dr_grpo": DrGrpo(),
    "mean": Grpo(std="none"),
    "rloo": Rloo(),
    "grpo_sample": Grpo(std="sample"),
    "grpo_population": Grpo(std="population"),
}


def credit(scheme: Scheme, *outcomes: list[float]) -> Credited:
    groups = [group(*(episode(turns("go->a"), value) for value in row)) for row in outcomes]
    return scheme(scored(*groups))


def first_turns(credited: Credited) -> list[list[float]]:
    return [[member[0] for member in members] for members in credited.advantages]


@pytest.mark.parametrize(
    ("base", "success", "failure"),
    [
        ("grpo_sample", 1.620182, -0.540061),
        ("grpo_population", 1.732047, -0.577349),
        ("rloo", 0.857143, -0.285714),
        ("mean", 0.75, -0.25),
        ("dr_grpo", 0.75, -0.25),
    ],
)
def test_two_successes_in_eight_give_the_worked_numbers(
    base: str, success: float, failure: float
) -> None:
    outcomes = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    (row,) = first_turns(credit(SCHEMES[base], outcomes))
    expected = [success if outcome else failure for outcome in outcomes]
    assert row == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("base", sorted(SCHEMES))
@quick
@given(
    rows=st.lists(
        st.lists(st.integers(-40, 40).map(lambda n: n / 8), min_size=1, max_size=9),
        min_size=1,
        max_size=4,
    )
)
def test_ragged_batches_equal_the_oracle_group_by_group(base: str, rows: list[list[float]]) -> None:
    got = first_turns(credit(SCHEMES[base], *rows))
    for mine, outcomes in zip(got, rows, strict=True):
        assert mine == pytest.approx(BASES[base](outcomes), abs=1e-9)


def test_every_turn_of_an_episode_gets_its_advantage() -> None:
    long, short = episode(turns("a->1, b->2, c->3"), 1.0), episode(turns("a->1"), 0.0)
    (members,) = Grpo(std="none")(scored(group(long, short))).advantages
    assert members == ((0.5, 0.5, 0.5), (-0.5,))


@pytest.mark.parametrize("base", sorted(SCHEMES))
def test_outcomes_equal_up_to_rounding_give_exactly_zero(base: str) -> None:
    # The mean of eleven 0.1 is off by one rounding: eps alone would let the difference through.
    credited = credit(SCHEMES[base], [0.1] * 11, [0.3, 0.3 + 1e-9, 0.3 - 1e-9], [0.7])
    assert first_turns(credited) == [[0.0] * 11, [0.0] * 3, [0.0]]
    assert credited.metrics["credit/zero_groups"] == 1.0


@quick
@given(outcomes=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=16))
def test_advantages_stay_bounded_however_close_the_outcomes(outcomes: list[float]) -> None:
    # The largest z-score of n values: all but one equal.
    count = len(outcomes)
    (population,) = first_turns(credit(SCHEMES["grpo_population"], outcomes))
    (sample,) = first_turns(credit(SCHEMES["grpo_sample"], outcomes))
    assert max(map(abs, population)) <= math.sqrt(count - 1) * (1 + 1e-6)
    assert max(map(abs, sample)) <= (count - 1) / math.sqrt(count) * (1 + 1e-6)


def test_the_spread_below_which_outcomes_are_equal_can_be_set() -> None:
    outcomes = [0.50, 0.51]
    assert first_turns(credit(Grpo(std="none", min_spread=0.1), outcomes)) == [[0.0, 0.0]]
    (row,) = first_turns(credit(Grpo(std="none"), outcomes))
    assert row == pytest.approx([-0.005, 0.005])


def test_zero_groups_counts_groups_that_teach_nothing() -> None:
    groups = [
        group(episode(turns("a->1"), 1.0), episode(turns("a->1"), 0.0)),
        group(episode(turns("a->1"), 1.0), episode(turns("a->1"), 1.0)),
        group(episode(turns("a->1"), 1.0)),
        group(episode(turns("a->1"), None)),
    ]
    assert Grpo()(scored(*groups)).metrics == {"credit/zero_groups": 0.75}


def test_normalize_keeps_pools_apart_and_takes_empty_ones() -> None:
    values, pools = np.array([1.0, 10.0, 3.0, 30.0]), np.array([0, 2, 0, 2])
    scores = normalize(values, pools, num_pools=4, std="population", eps=0.0, min_spread=1e-6)
    assert scores.tolist() == [-1.0, -1.0, 1.0, 1.0]


@pytest.mark.parametrize("field", ["eps", "min_spread"])
def test_a_negative_setting_is_refused(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        Grpo.model_validate({field: -1.0})

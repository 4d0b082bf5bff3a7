"""MT-GRPO and A2TGPO: the k-th turns of a group against each other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import episode, gained, group, rewarded, scored

from agentgym.trainers.credit.a2tgpo import A2tgpo
from agentgym.trainers.credit.mt_grpo import MtGrpo
from agentgym.types import ScoredGroup
from oracles.per_turn_index import a2tgpo, clip_scales, mt_grpo

quick = settings(max_examples=100)


def rewards_of(rows: Sequence[Sequence[float]], outcomes: Sequence[float]) -> list[ScoredGroup]:
    return scored(group(*(episode(rewarded(r), o) for r, o in zip(rows, outcomes, strict=True))))


def gains_of(
    rows: Sequence[Sequence[float | None]], outcomes: Sequence[float]
) -> list[ScoredGroup]:
    return scored(group(*(episode(gained(r), o) for r, o in zip(rows, outcomes, strict=True))))


def test_mt_grpo_adds_a_turns_own_advantage_to_the_outcomes() -> None:
    # Outcomes 1, 0, 0: centred 2/3, -1/3, -1/3, deviation .577350. First turns 1, 1, 0: the same
    # numbers mirrored. The last turn's reward (the outcome itself) is compared with nothing.
    scheme = MtGrpo(eps=0.0, turn_weight=0.5)
    ((a, b, c),) = scheme(
        rewards_of([[1.0, 9.0], [1.0, 0.0], [0.0, 0.0]], [1.0, 0.0, 0.0])
    ).advantages
    assert a == pytest.approx((1.154701 + 0.5 * 0.577350, 1.154701), abs=1e-6)
    assert b == pytest.approx((-0.577350 + 0.5 * 0.577350, -0.577350), abs=1e-6)
    assert c == pytest.approx((-0.577350 - 0.5 * 1.154701, -0.577350), abs=1e-6)


def test_mt_grpo_compares_a_turn_only_with_turns_that_are_not_last() -> None:
    # The only middle turn of its index has nobody to be compared with.
    ((long, short),) = MtGrpo()(rewards_of([[0.0, 5.0, 0.0], [0.0, 0.0]], [1.0, 1.0])).advantages
    assert (long, short) == ((0.0, 0.0, 0.0), (0.0, 0.0))


def test_mt_grpo_per_turn_index_is_blind_to_what_a_sum_would_see() -> None:
    """What its warning is about: the reward for going on counts for nothing once others stop."""
    ((long, _, _),) = MtGrpo()(
        rewards_of([[0.0, 1.0, 1.0, 0.0], [0.0, 0.0], [0.0, 0.0]], [0.0, 0.0, 0.0])
    ).advantages
    assert long == (0.0, 0.0, 0.0, 0.0)


I2 = [[0.8, 1.7, None], [-0.5, 2.0, None]]


def test_a2tgpo_has_the_worked_numbers_of_i2() -> None:
    ((a, b),) = A2tgpo()(gains_of(I2, [1.0, 0.4])).advantages
    assert a == pytest.approx((0.707106, 0.494974, 0.707105), abs=2e-6)
    assert b == pytest.approx((-0.707106, -0.494974, -0.707105), abs=2e-6)


def test_a2tgpo_has_the_worked_parts_of_i2() -> None:
    """z +-.707106, -+.707103; D_1 their sum over the root of 2, D_2 the second alone."""
    scheme = A2tgpo(alpha=1.0)
    ((a, b),) = scheme(gains_of(I2, [0.0, 0.0])).advantages  # no outcome to add
    assert a == pytest.approx((0.000002, -0.707103, 0.0), abs=1.5e-6)
    assert b == pytest.approx((-0.000002, 0.707103, 0.0), abs=1.5e-6)
    # 1 + .3 (2 sigmoid(z) - 1); the outcome turn has 1.
    credited = A2tgpo()(gains_of(I2, [1.0, 0.4]))
    assert credited.clip_scales is not None
    ((first, second),) = credited.clip_scales
    assert first == pytest.approx((1.101857, 0.898144, 1.0), abs=1e-6)
    assert second == pytest.approx((0.898143, 1.101856, 1.0), abs=1e-6)


def test_a2tgpo_lets_neighbours_with_equal_advantages_stay_two() -> None:
    # All outcomes equal, one member at turn 2: its turns are 0 with a gain behind them at turn 3.
    ((a, b),) = A2tgpo(alpha=1.0, eps=0.0)(
        gains_of([[1.0, 5.0, None], [0.0, None]], [0.0, 0.0])
    ).advantages
    # Turn 1: +-.707107; turn 2 has one member: 0, and counts as a term: .707107 / sqrt 2.
    assert a == pytest.approx((0.5, 0.0, 0.0), abs=1e-6)
    assert b == pytest.approx((-0.707107, 0.0), abs=1e-6)


number = st.integers(-12, 12).map(lambda n: n / 4)
turns_and_outcome = st.tuples(
    st.lists(st.one_of(st.none(), number), max_size=5), st.integers(0, 4).map(float)
)
members = st.lists(turns_and_outcome, min_size=1, max_size=6)


@quick
@given(members, st.sampled_from([0.0, 0.5, 1.0]))
def test_mt_grpo_equals_the_oracle(
    rows: list[tuple[list[float | None], float]], weight: float
) -> None:
    rewards = [[value or 0.0 for value in row] for row, _ in rows]
    outcomes = [outcome for _, outcome in rows]
    (got,) = MtGrpo(turn_weight=weight)(rewards_of(rewards, outcomes)).advantages
    for mine, row in zip(got, mt_grpo(rewards, outcomes, weight=weight), strict=True):
        assert mine == pytest.approx(row, abs=1e-9)


@quick
@given(members, st.sampled_from([0.0, 0.9, 1.0]))
def test_a2tgpo_equals_the_oracle(
    rows: list[tuple[list[float | None], float]], gamma: float
) -> None:
    gains, outcomes = [row for row, _ in rows], [outcome for _, outcome in rows]
    credited = A2tgpo(gamma=gamma)(gains_of(gains, outcomes))
    expected = a2tgpo(gains, outcomes, alpha=0.3, gamma=gamma)
    for mine, row in zip(credited.advantages[0], expected, strict=True):
        assert mine == pytest.approx(row, abs=1e-9)
    assert credited.clip_scales is not None
    wanted = clip_scales(gains, width=0.3)
    for mine, row in zip(credited.clip_scales[0], wanted, strict=True):
        assert mine == pytest.approx(row, abs=1e-9)
        assert all(0.7 < scale < 1.3 for scale in mine)

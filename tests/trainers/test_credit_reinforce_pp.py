"""REINFORCE++ and its baseline variant: whitened over the tokens of the whole step."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import episode, group, scored, turn

from agentgym.trainers.credit.reinforce_pp import ReinforcePp, ReinforcePpBaseline
from agentgym.types import Group
from oracles.reinforce_pp import reinforce_pp

quick = settings(max_examples=100)


def played(row: list[tuple[float, list[int]]]) -> Group:
    """Episodes of (outcome, tokens of each turn)."""
    return group(
        *(
            episode([turn("go", "x", num_tokens=size) for size in sizes], outcome)
            for outcome, sizes in row
        )
    )


def test_a_long_episode_counts_by_its_tokens() -> None:
    # Tokens 1 1 1 0: mean .75, variance of a sample 3 * .0625 + .5625 over 3 = .25.
    ((long, short),) = ReinforcePp(eps=0.0)(scored(played([(1.0, [1, 2]), (0.0, [1])]))).advantages
    assert long == pytest.approx((0.5, 0.5))
    assert short == pytest.approx((-1.5,))


def test_gaps_between_turns_cut_no_turn_off_from_the_outcome() -> None:
    """Return-to-go by mask resets at the first gap: 0 0 0 1 1 1 on the mask 110011, not 1 x 4."""
    ((two, _),) = ReinforcePp()(scored(played([(1.0, [2, 2]), (0.0, [4])]))).advantages
    assert two[0] == two[1] > 0.9


def test_the_baseline_is_the_group_and_the_deviation_the_steps() -> None:
    # Centred: +-.5 | +-1. Mean 0, variance (.25 * 2 + 1 * 2) / 3 = .833333.
    groups = scored(played([(1.0, [1]), (0.0, [1])]), played([(4.0, [1]), (2.0, [1])]))
    first, second = ReinforcePpBaseline(eps=0.0)(groups).advantages
    assert [row[0] for row in first] == pytest.approx([0.547723, -0.547723], abs=1e-6)
    assert [row[0] for row in second] == pytest.approx([1.095445, -1.095445], abs=1e-6)


def test_a_lone_failure_among_successes_of_other_groups_is_below_zero_without_a_baseline() -> None:
    groups = scored(played([(0.0, [1]), (0.0, [1])]), played([(1.0, [1]), (1.0, [1])]))
    (lost, won) = ReinforcePp()(groups).advantages
    assert lost[0][0] == lost[1][0] < 0 < won[0][0]
    assert ReinforcePpBaseline()(groups).advantages == (((0.0,), (0.0,)), ((0.0,), (0.0,)))


rows = st.lists(
    st.lists(
        st.tuples(st.integers(-8, 8).map(lambda n: n / 4), st.lists(st.integers(1, 5), max_size=4)),
        max_size=5,
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("scheme", [ReinforcePp(), ReinforcePpBaseline()])
@quick
@given(rows=rows)
def test_random_batches_equal_the_oracle(
    scheme: ReinforcePp, rows: list[list[tuple[float, list[int]]]]
) -> None:
    got = scheme(scored(*map(played, rows))).advantages
    told = [[(outcome, sum(sizes)) for outcome, sizes in row] for row in rows]
    expected = reinforce_pp(told, baseline=isinstance(scheme, ReinforcePpBaseline))
    for members, row, wanted in zip(got, rows, expected, strict=True):
        for advantages, (_, sizes), value in zip(members, row, wanted, strict=True):
            assert advantages == pytest.approx((value,) * len(sizes), abs=1e-9)

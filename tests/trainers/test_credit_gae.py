"""GAE over turns, over tokens, and over both: worked numbers, and bugs that others had."""

from __future__ import annotations

import doctest
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import episode, group, scored, turn

from agentgym import UsageError
from agentgym.trainers.credit import gae as kernel
from agentgym.trainers.credit.bilevel_gae import BilevelGae
from agentgym.trainers.credit.gae import gae
from agentgym.trainers.credit.gae_token import GaeToken
from agentgym.trainers.credit.turn_gae import TurnGae
from agentgym.types import Credited, Episode
from oracles.gae import Turns, by_levels, by_tokens, by_turns

quick = settings(max_examples=100)


def played(turns: Turns) -> Episode:
    """An episode of (reward, values of its tokens)."""
    return episode([turn("go", "x", reward=r, values=values) for r, values in turns], 0.0)


def credit(scheme: TurnGae | GaeToken | BilevelGae, *episodes: Turns) -> Credited:
    return scheme(scored(group(*map(played, episodes))))


def tokens_of(credited: Credited, member: int = 0) -> list[list[float]]:
    assert credited.token_advantages is not None
    return [list(row) for row in credited.token_advantages[0][member]]


def test_turns_have_the_worked_advantages_and_targets() -> None:
    turns = [(0.0, [0.5, 9.0]), (0.0, [0.6]), (1.0, [0.8, 9.0, 9.0])]
    credited = credit(TurnGae(whiten=False), turns)
    assert credited.advantages[0][0] == pytest.approx((0.423848, 0.370200, 0.2), abs=1e-6)
    assert credited.token_advantages is None
    assert credited.value_targets is not None
    rows = credited.value_targets[0][0]
    # The value at a turn's first token is the turn's; the others are not read and not trained.
    assert [row[0] for row in rows] == pytest.approx([0.923848, 0.970200, 1.0], abs=1e-6)
    assert [row[1:] for row in rows] == [(None,), (), (None, None)]


def test_observation_tokens_do_not_discount() -> None:
    """Mask 1100011, reward at the end, V 0, .95 and .95: .735092, and .540360 with the gap in."""
    turns = [(0.0, [0.0, 0.0]), (1.0, [0.0, 0.0])]
    rows = tokens_of(credit(GaeToken(gamma=0.95, lam=0.95, whiten=False), turns))
    assert rows[0][0] == pytest.approx(0.735092, abs=1e-6)
    full = gae(np.array([0.0] * 6 + [1.0]), np.zeros(7), np.array([7]), gamma=0.95, lam=0.95)
    assert full[0] == pytest.approx(0.540360, abs=1e-6)


def test_the_outcome_reaches_every_turn_before_it() -> None:
    """Returns 1 on all four sampled tokens, where resetting at a gap gives 0 0 to the first."""
    turns = [(0.0, [0.0, 0.0]), (1.0, [0.0, 0.0])]
    assert tokens_of(credit(GaeToken(whiten=False), turns)) == [[1.0, 1.0], [1.0, 1.0]]


RAGEN = [(1.0, [0.1, 0.2, 0.3, 0.4, 0.5]), (1.0, [0.6, 0.7, 0.8, 0.9, 1.0])]


def test_two_levels_have_the_worked_advantages_and_targets() -> None:
    credited = credit(BilevelGae(whiten=False), RAGEN)
    first, second = tokens_of(credited)
    assert first == pytest.approx([1.85, 1.75, 1.65, 1.55, 1.45])
    assert second == pytest.approx([0.4, 0.3, 0.2, 0.1, 0.0])
    assert credited.value_targets is not None
    assert credited.value_targets[0][0][0] == pytest.approx((1.95,) * 5)
    assert credited.value_targets[0][0][1] == pytest.approx((1.0,) * 5)
    # What people see of a turn is the mean of its tokens.
    assert credited.advantages[0][0] == pytest.approx((1.65, 0.2))


def test_whitening_is_over_the_tokens_of_the_step() -> None:
    first, second = tokens_of(credit(BilevelGae(), RAGEN))
    expected = [1.188, 1.0596, 0.9311, 0.8027, 0.6743]
    assert first == pytest.approx(expected, abs=1e-4)
    assert second == pytest.approx([-value for value in reversed(expected)], abs=1e-4)


def test_a_turn_that_paid_nothing_keeps_its_boundary() -> None:
    """Found again as tokens with a reward, the middle turn would be one with the last."""
    turns = [(0.5, [0.0]), (0.0, [0.0]), (1.0, [0.0])]
    rows = tokens_of(credit(BilevelGae(gamma_turn=0.5, whiten=False), turns))
    # Upper: 1, 0 + .5, .5 + .25. Two turns only would give the first .5 + .5.
    assert rows == [[0.75], [0.5], [1.0]]


def test_a_turn_without_a_token_is_passed_over() -> None:
    turns: Turns = [(0.0, [0.25]), (0.0, []), (1.0, [0.5])]
    assert tokens_of(credit(GaeToken(whiten=False), turns)) == [[0.75], [], [0.5]]
    assert tokens_of(credit(BilevelGae(gamma_turn=1.0, whiten=False), turns)) == [[0.75], [], [0.5]]
    assert credit(TurnGae(gamma=1.0, lam=1.0, whiten=False), turns).advantages[0][0] == (
        0.75, 1.0, 0.5,
    )  # fmt: skip


def test_what_a_turn_without_a_token_earned_is_not_lost() -> None:
    """Elsewhere a reward on a token that is masked or not there never reached anybody."""
    turns: Turns = [(0.0, [0.0]), (0.5, [0.0, 0.0]), (0.25, []), (1.0, [])]
    whole = 0.5 + 0.25 + 1.0
    assert tokens_of(credit(GaeToken(whiten=False), turns)) == [[whole], [whole] * 2, [], []]
    levels = credit(BilevelGae(gamma_turn=0.5, whiten=False), turns)
    assert tokens_of(levels) == [[whole / 2], [whole] * 2, [], []]
    # Of two episodes each keeps its own, and before the first token nothing was decided.
    silent: Turns = [(3.0, []), (1.0, [0.0])]
    both = credit(GaeToken(whiten=False), turns, silent, [(7.0, [])])
    assert [tokens_of(both, 1), tokens_of(both, 2)] == [[[], [1.0]], [[]]]


def test_a_reward_on_a_turn_that_is_not_trained_reaches_the_turns_before() -> None:
    """The last turn was cut, so the loss leaves its tokens out; its reward is whole."""
    talk = turn("go", "x", values=[0.0, 0.0])
    cut = turn("go", "x", finish="length", reward=1.0, values=[0.0, 0.0, 0.0])
    groups = scored(group(episode([talk, cut], 1.0)))
    for scheme in (GaeToken(whiten=False), BilevelGae(gamma_turn=1.0, whiten=False)):
        assert tokens_of(scheme(groups))[0] == [1.0, 1.0]
    assert TurnGae(gamma=1.0, lam=1.0, whiten=False)(groups).advantages == (((1.0, 1.0),),)


@pytest.mark.parametrize("scheme", [TurnGae(), GaeToken(), BilevelGae()])
def test_credit_does_not_stop_where_a_segment_does(
    scheme: TurnGae | GaeToken | BilevelGae,
) -> None:
    """A row a turn and GAE: elsewhere every row began anew, or was refused."""
    one, other = played([(0.0, [0.5]), (0.0, [0.25]), (1.0, [0.0])]), played([(0.0, [0.5])])
    split = replace(one, turns=tuple(replace(t, segment=k) for k, t in enumerate(one.turns)))
    assert scheme(scored(group(split, other))) == scheme(scored(group(one, other)))


@pytest.mark.parametrize("scheme", [TurnGae(), GaeToken(), BilevelGae()])
def test_an_episode_without_values_is_named(scheme: TurnGae | GaeToken | BilevelGae) -> None:
    with pytest.raises(UsageError, match="member=0/turn=1 has no values of a critic"):
        scheme(scored(group(episode([turn("go", "x")], 1.0))))


def test_the_example_in_the_docstring_holds() -> None:
    results = doctest.testmod(kernel)
    assert (results.attempted, results.failed) == (1, 0)


number = st.integers(-8, 8).map(lambda n: n / 4)
one_turn = st.tuples(number, st.lists(number, min_size=1, max_size=4))
episodes = st.lists(st.lists(one_turn, max_size=5), min_size=1, max_size=4)
factors = st.sampled_from([0.0, 0.5, 0.95, 1.0])


@quick
@given(episodes, factors, factors, factors)
def test_random_episodes_equal_the_oracles(
    rows: list[list[tuple[float, list[float]]]], gamma: float, lam: float, gamma_turn: float
) -> None:
    turns = credit(TurnGae(gamma=gamma, lam=lam, whiten=False), *rows)
    tokens = credit(GaeToken(gamma=gamma, lam=lam, whiten=False), *rows)
    levels = credit(BilevelGae(gamma_turn=gamma_turn, gamma=gamma, lam=lam, whiten=False), *rows)
    for member, row in enumerate(rows):
        assert turns.advantages[0][member] == pytest.approx(
            by_turns(row, gamma=gamma, lam=lam), abs=1e-9
        )
        assert_close(tokens_of(tokens, member), by_tokens(row, gamma=gamma, lam=lam))
        expected = by_levels(row, gamma_turn=gamma_turn, gamma=gamma, lam=lam)
        assert_close(tokens_of(levels, member), expected)


def assert_close(found: Sequence[Sequence[float]], expected: Sequence[Sequence[float]]) -> None:
    assert len(found) == len(expected)
    for mine, row in zip(found, expected, strict=True):
        assert mine == pytest.approx(row, abs=1e-9)


@quick
@given(episodes)
def test_targets_are_the_returns_where_the_critic_is_not_trusted(
    rows: list[list[tuple[float, list[float]]]],
) -> None:
    credited = credit(GaeToken(), *rows)  # lambda 1: whatever the values were
    assert credited.value_targets is not None
    for targets, row in zip(credited.value_targets[0], rows, strict=True):
        for k, turn_targets in enumerate(targets):
            ahead = sum(reward for reward, _ in row[k:])
            assert turn_targets == pytest.approx((ahead,) * len(row[k][1]), abs=1e-9)

"""What every registered credit scheme promises."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scored import episode, group, scored, turn

from agentgym.registry import credits
from agentgym.trainers.credit import Credit
from agentgym.types import Episode, Group, Status, Turn

quick = settings(max_examples=50)

SCHEMES = sorted(credits)
READS: dict[str, frozenset[str]] = {name: credits.get(name).reads for name in SCHEMES}
BY_GROUP = [name for name in SCHEMES if "batch" not in READS[name]]
"""Schemes that credit a group by what is in it alone."""
BY_COMPARISON = [name for name in SCHEMES if "values" not in READS[name]]
"""Schemes whose baseline is other episodes; a critic's is not."""

one_turn = st.builds(
    turn,
    st.sampled_from(["a", "b", None]),
    st.sampled_from(["x", "y"]),
    gain=st.one_of(st.none(), st.floats(-3, 3)),
    reward=st.integers(-2, 2).map(float),
    values=st.lists(st.integers(-4, 4).map(float), max_size=3),
)
member = st.builds(episode, st.lists(one_turn, max_size=5), st.floats(0, 1))
groups_of_members = st.lists(st.lists(member, max_size=5), min_size=1, max_size=3)


def failed(member: Episode, status: Status) -> Episode:
    """The same episode, ended by our machinery; a score, if one was given, does not count."""
    return replace(member, status=status, score=None if status is Status.SCORE_ERROR else 1.0)


def make(name: str) -> Credit:
    scheme: Credit = credits.make(name)
    return scheme


@pytest.mark.parametrize("name", SCHEMES)
@quick
@given(st.lists(member, max_size=4), st.lists(member, min_size=1, max_size=3), st.randoms())
def test_failed_members_leave_the_others_exactly_as_in_the_group_without_them(
    name: str, healthy: list[Episode], broken: list[Episode], random: Random
) -> None:
    errors = [Status.INFRA_ERROR, Status.SCORE_ERROR]
    mixed = list(healthy)
    for index, lost in enumerate(broken):
        place = random.randint(0, len(mixed))
        mixed.insert(place, failed(lost, errors[index % 2]))
    reduced = make(name)(scored(group(*healthy)))
    assert make(name)(scored(group(*mixed))) == reduced


bulk = settings(max_examples=25)
seeds = st.integers(0, 2**32)
"""One draw an example, and `GROUPS` groups of it: 500 then cost what a few do piece by piece."""
GROUPS = 20


def random_group(random: Random) -> Group:
    """2 to 8 episodes with few actions, places and outcomes, so that much recurs."""

    def one() -> Turn:
        gain = random.choice([None, random.uniform(-3, 3)])
        action, key = random.choice(["a", "b", None]), random.choice(["x", "y"])
        reward = random.choice([0.0, 0.0, 0.5, -1.0])
        values = [random.uniform(-1, 1) for _ in range(random.randint(1, 3))]
        return turn(action, key, gain=gain, reward=reward, values=values)

    return group(
        *(
            episode([one() for _ in range(random.randint(0, 6))], random.choice([0.0, 0.4, 1.0]))
            for _ in range(random.randint(2, 8))
        )
    )


def flat(members: Iterable[tuple[float, ...]]) -> list[float]:
    return list(chain.from_iterable(members))


@pytest.mark.parametrize("name", SCHEMES)
@bulk
@given(seeds)
def test_the_order_of_members_does_not_matter(name: str, seed: int) -> None:
    random = Random(seed)
    straight = [random_group(random) for _ in range(GROUPS)]
    orders = [random.sample(range(len(g.episodes)), len(g.episodes)) for g in straight]
    shuffled = [
        group(*(g.episodes[index] for index in order))
        for g, order in zip(straight, orders, strict=True)
    ]
    expected = make(name)(scored(*straight)).advantages
    found = make(name)(scored(*shuffled)).advantages
    for mine, members, order in zip(found, expected, orders, strict=True):
        wanted = flat(members[index] for index in order)
        np.testing.assert_allclose(flat(mine), wanted, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", SCHEMES)
@bulk
@given(seeds)
def test_failed_members_of_random_groups_change_nothing_for_the_others(
    name: str, seed: int
) -> None:
    random = Random(seed)
    mixed, reduced = [], []
    for _ in range(GROUPS):
        whole = random_group(random).episodes
        lost = set(random.sample(range(len(whole)), random.randint(1, len(whole) - 1)))
        status = random.choice([Status.INFRA_ERROR, Status.SCORE_ERROR])
        mixed.append(
            group(*(failed(e, status) if i in lost else e for i, e in enumerate(whole)))
        )
        reduced.append(group(*(e for i, e in enumerate(whole) if i not in lost)))
    got, expected = (make(name)(scored(*groups)) for groups in (mixed, reduced))
    assert got == expected


@pytest.mark.parametrize("name", BY_GROUP)
@quick
@given(groups_of_members)
def test_a_group_is_credited_as_if_it_were_alone(name: str, rows: list[list[Episode]]) -> None:
    groups = [group(*row) for row in rows]
    together = make(name)(scored(*groups)).advantages
    assert together == tuple(make(name)(scored(alone)).advantages[0] for alone in groups)


@pytest.mark.parametrize("name", SCHEMES)
@quick
@given(groups_of_members)
def test_there_is_one_advantage_for_every_turn_of_every_valid_member(
    name: str, rows: list[list[Episode]]
) -> None:
    credited = make(name)(scored(*(group(*row) for row in rows)))
    lengths = [[len(member) for member in members] for members in credited.advantages]
    assert lengths == [[len(member.turns) for member in row] for row in rows]
    assert 0.0 <= credited.metrics["credit/zero_groups"] <= 1.0


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("groups", [(), (group(),), (group(episode((), 1.0)), group())])
def test_nothing_to_credit_is_no_error(name: str, groups: tuple[Group, ...]) -> None:
    credited = make(name)(scored(*groups))
    assert credited.advantages == tuple(tuple(() for _ in g.episodes) for g in groups)
    assert credited.metrics["credit/zero_groups"] == (1.0 if groups else 0.0)


@pytest.mark.parametrize("name", BY_COMPARISON)
@bulk
@given(seeds)
def test_groups_equal_up_to_rounding_give_exactly_zero(name: str, seed: int) -> None:
    """However many members and turns: so |advantage| is bounded where it once was enlarged."""
    random = Random(seed)

    def noise() -> float:
        return random.uniform(-1e-9, 1e-9)

    for _ in range(GROUPS):
        outcome = random.choice([0.1, 0.3, 1 / 3, 1.0])
        num_turns = random.randint(1, 5)
        members = [
            episode(
                [*(turn("go", "x", gain=noise()) for _ in range(num_turns)), turn("end", "y")],
                outcome + noise(),
            )
            for _ in range(random.randint(2, 12))
        ]
        (advantages,) = make(name)(scored(group(*members))).advantages
        assert set(flat(advantages)) == {0.0}


@pytest.mark.parametrize("name", BY_COMPARISON)
@quick
@given(gains=st.lists(st.floats(-1e-7, 1e-7), min_size=2, max_size=4), noise=st.floats(0, 1e-9))
def test_groups_without_a_difference_give_exactly_zero(
    name: str, gains: list[float], noise: float
) -> None:
    turns = [*(turn("go", "x", gain=gain) for gain in gains), turn("end", "y")]
    same = group(*(episode(turns, 0.1 + sign * noise) for sign in (-1, 0, 0, 1)))
    (members,) = make(name)(scored(same)).advantages
    assert set(sum(members, ())) == {0.0}


@pytest.mark.parametrize("name", SCHEMES)
def test_an_unknown_setting_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="windw"):
        credits.make(name, windw=3)

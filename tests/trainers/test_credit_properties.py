"""What must hold of every registered credit scheme on any group: 500 of them for each claim.

A call costs about the same for one group as for ten, so where a claim allows it ten go together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import episode, group, scored, turn

from agentgym.registry import credits
from agentgym.trainers.credit import Credit
from agentgym.trainers.credit.salt import Base, Salt
from agentgym.types import Credited, Episode, Group, Status, Turn
from oracles.outcome import BASES

many = settings(max_examples=500)
TOGETHER = 10
tens = settings(max_examples=50)
"""Of `TOGETHER` groups each."""
seeds = st.integers(0, 2**32)
"""One draw an example; the group is made of it, which costs far less than drawing its parts."""

SCHEMES: dict[str, Credit] = {name: credits.make(name) for name in credits}
BY_GROUP = {name: c for name, c in SCHEMES.items() if "batch" not in c.reads}
"""Schemes that credit a group by what is in it alone."""
BY_COMPARISON = {name: c for name, c in SCHEMES.items() if "values" not in c.reads}
"""Schemes whose baseline is other episodes; a critic's is not."""
ALL_BASES: list[Base] = ["mean", "rloo", "grpo_sample", "grpo_population"]
Noise: TypeAlias = Callable[[], float]

LEVELS = [0.0, 0.1, 1 / 3, 0.5, 1.0]
"""Numbers whose sums and means are rounded."""


def random_turn(random: Random) -> Turn:
    """Few actions and places, so that much recurs; now and then it is invalid or cut."""
    return turn(
        random.choice(["a", "b", None]),
        random.choice(["x", "y", "start"]),
        finish="length" if random.random() < 0.15 else "stop",
        gain=random.choice([None, random.uniform(-3, 3)]),
        reward=random.choice([0.0, 0.0, 0.5, -1.0]),
        values=[random.uniform(-1, 1) for _ in range(random.randint(0, 3))],
    )


def random_episode(random: Random) -> Episode:
    """An episode of up to six turns whose success does not follow from its score."""
    played = episode(
        [random_turn(random) for _ in range(random.randint(0, 6))],
        random.choice([0.0, 0.4, 1.0]),
        first=random.choice(["start", "start", "elsewhere"]),
    )
    won = random.random() < 0.4
    return replace(played, success=won, status=Status.SUCCESS if won else Status.FAILURE)


def random_group(random: Random, *, least: int = 2) -> Group:
    """Up to eight of them."""
    return group(*(random_episode(random) for _ in range(random.randint(least, 8))))


def numbers(nested: Any) -> Iterator[float]:
    """All numbers of nested tuples."""
    if isinstance(nested, tuple):
        for each in nested:
            yield from numbers(each)
    elif nested is not None:
        yield nested


def parts(credited: Credited) -> list[Any]:
    """All that a scheme gave, group by group."""
    return [
        credited.advantages,
        credited.token_advantages,
        credited.value_targets,
        credited.clip_scales,
    ]


def assert_near(mine: Any, other: Any, what: str, *, tolerance: float = 1e-9) -> None:
    found, wanted = list(numbers(mine)), list(numbers(other))
    assert len(found) == len(wanted), what
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance, err_msg=what)


@tens
@given(seeds)
def test_the_order_of_members_does_not_matter(seed: int) -> None:
    random = Random(seed)
    straight = [random_group(random) for _ in range(TOGETHER)]
    orders = [random.sample(range(len(each.episodes)), len(each.episodes)) for each in straight]
    pairs = list(zip(straight, orders, strict=True))
    shuffled = [group(*(each.episodes[index] for index in order)) for each, order in pairs]
    given_, again = scored(*straight), scored(*shuffled)
    for name, scheme in SCHEMES.items():
        for before, after in zip(parts(scheme(given_)), parts(scheme(again)), strict=True):
            if before is not None:
                for mine, other, order in zip(before, after, orders, strict=True):
                    assert_near(other, tuple(mine[index] for index in order), name)


@tens
@given(seeds)
def test_no_group_touches_another(seed: int) -> None:
    """Nothing is merged across tasks, whatever their keys: equal to the last bit."""
    random = Random(seed)
    groups = [random_group(random, least=0) for _ in range(TOGETHER - 1)]
    # The same episodes under another task and with other outcomes.
    twin = [replace(e, score=random.choice([0.0, 1.0])) for e in groups[0].episodes]
    groups.append(replace(group(*twin), task_id="another"))
    apart = [scored(each) for each in groups]
    together = scored(*groups)
    for name, scheme in BY_GROUP.items():
        alone = [parts(scheme(each)) for each in apart]
        for found, expected in zip(parts(scheme(together)), zip(*alone, strict=True), strict=True):
            assert found is None or found == tuple(each[0] for each in expected), name


@tens
@given(seeds)
def test_untrainable_members_leave_the_others_exactly_as_in_the_group_without_them(
    seed: int,
) -> None:
    """For k of G from none to all; several groups, so that a batch's statistics take part."""
    random = Random(seed)
    mixed, reduced = [], []
    for _ in range(TOGETHER):
        whole = random_group(random).episodes
        lost = set(random.sample(range(len(whole)), random.randint(0, len(whole))))
        status = random.choice([Status.INFRA_ERROR, Status.SCORE_ERROR])
        # A score, if one was given, does not count.
        score = None if status is Status.SCORE_ERROR else 1.0
        members = [
            replace(e, status=status, score=score) if i in lost else e for i, e in enumerate(whole)
        ]
        mixed.append(group(*members))
        kept = [e for i, e in enumerate(mixed[-1].episodes) if i not in lost]
        reduced.append(Group(task_id="task", episodes=tuple(kept)))
    given_, expected = scored(*mixed), scored(*reduced)
    for name, scheme in SCHEMES.items():
        assert scheme(given_) == scheme(expected), name


def template(random: Random) -> list[Turn]:
    """The turns of one episode; every place is another, so that only members are compared."""
    size = random.randint(1, 5)
    return [
        turn(
            random.choice(["a", None]),
            f"o{k}",
            gain=None if k == size - 1 else random.choice(LEVELS),
            reward=random.choice(LEVELS),
            values=[random.choice(LEVELS) for _ in range(random.randint(1, 3))],
        )
        for k in range(size)
    ]


def copies(random: Random, model: Episode, count: int, noise: Noise) -> Group:
    """A group of episodes that differ from the model by noise in every number."""
    return group(
        *(
            replace(
                model,
                score=(model.score or 0.0) + noise(),
                turns=tuple(
                    replace(
                        t,
                        reward=t.reward + noise(),
                        channels={
                            name: None if gain is None else gain + noise()
                            for name, gain in t.channels.items()
                        },
                        values=tuple(value + noise() for value in t.values or ()),
                    )
                    for t in model.turns
                ),
            )
            for _ in range(count)
        )
    )


def none() -> float:
    return 0.0


NOISES = [1e-16, 1e-13, 1e-10]
"""From the rounding of one number to that of long sums."""
DEPENDS_ON_ZEROS = {"hgpo"}
"""It leaves advantages out of its mean that are exactly 0, and a rounding may be none."""


@tens
@given(seeds)
def test_rounding_moves_no_advantage(seed: int) -> None:
    """Groups equal up to rounding are credited as if they were equal, and within bounds."""
    random = Random(seed)
    exact, noisy = [], []
    for _ in range(TOGETHER):
        turns = template(random)
        won = random.random() < 0.5
        model = replace(episode(turns, random.choice(LEVELS)), success=won)
        count, size = random.randint(2, 12), random.choice(NOISES)
        exact.append(copies(random, model, count, none))
        noisy.append(copies(random, model, count, partial(random.uniform, -size, size)))
    for name, scheme in SCHEMES.items():
        # Other groups of a batch could hide what rounding does to its statistics.
        step = TOGETHER if name in BY_GROUP else 1
        for some in (slice(start, start + step) for start in range(0, TOGETHER, step)):
            found, wanted = scheme(scored(*noisy[some])), scheme(scored(*exact[some]))
            if name not in DEPENDS_ON_ZEROS:
                for mine, other in zip(parts(found), parts(wanted), strict=True):
                    assert (mine is None) == (other is None), name
                    assert_near(mine or (), other or (), name, tolerance=1e-6)
            assert_bounded(found, exact[some], name)


def assert_bounded(found: Credited, groups: Sequence[Group], name: str) -> None:
    """The largest z-score of n numbers is the root of n; weights and discounts add up to 7."""
    for index, worked in enumerate(groups):
        turns = [t for member in worked.episodes for t in member.turns]
        num_tokens = sum(len(t.action_ids) for t in turns)
        bound = 7 * math.sqrt(num_tokens) * len(worked.episodes[0].turns)
        given_ = found.advantages[index], (found.token_advantages or found.advantages)[index]
        for each in numbers(given_):
            assert abs(each) <= bound, name


def even_group(random: Random) -> Group:
    """Episodes that rounding alone tells apart, and turns that nothing does."""

    def noise() -> float:
        return random.uniform(-1e-9, 1e-9)

    outcome, num_turns = random.choice(LEVELS), random.randint(1, 5)
    return group(
        *(
            episode(
                [*(turn("go", "x", gain=noise()) for _ in range(num_turns)), turn("end", "y")],
                outcome + noise(),
            )
            for _ in range(random.randint(2, 12))
        )
    )


@tens
@given(seeds)
def test_groups_equal_up_to_rounding_give_exactly_zero(seed: int) -> None:
    """Of every scheme that compares episodes."""
    random = Random(seed)
    groups = [even_group(random) for _ in range(TOGETHER)]
    for name, scheme in BY_COMPARISON.items():
        # Of a whole batch not all outcomes are equal.
        batches = [groups] if name in BY_GROUP else [[each] for each in groups]
        for batch in batches:
            assert set(numbers(scheme(scored(*batch)).advantages)) == {0.0}, name


@many
@given(seeds)
def test_a_critics_groups_equal_up_to_rounding_give_exactly_zero(seed: int) -> None:
    """One token each, so that whitening has only rounding to enlarge."""
    random = Random(seed)
    reward, value = random.choice(LEVELS), random.choice(LEVELS)

    def near(number: float) -> float:
        return number + random.uniform(-1e-9, 1e-9)

    members = [
        episode([turn("go", "x", reward=near(reward), values=[near(value)])], 0.0)
        for _ in range(random.randint(2, 12))
    ]
    given_ = scored(group(*members))
    for name in sorted({*SCHEMES} - {*BY_COMPARISON}):
        assert set(numbers(SCHEMES[name](given_).advantages)) == {0.0}, name


def own_advantages(base: Base, members: Group) -> list[float]:
    """The outcome advantage of each episode before any merging, by the oracle."""
    return BASES[base]([member.score or 0.0 for member in members.episodes])


@tens
@given(seeds)
def test_salt_keeps_the_sum_over_all_turns(seed: int) -> None:
    random = Random(seed)
    groups, key_window = [random_group(random) for _ in range(TOGETHER)], random.randint(1, 4)
    given_ = scored(*groups)
    for base in ALL_BASES:
        credited = Salt(key_window=key_window, base=base)(given_)
        for worked, found in zip(groups, credited.advantages, strict=True):
            own = own_advantages(base, worked)
            expected = sum(len(m.turns) * a for m, a in zip(worked.episodes, own, strict=True))
            assert sum(map(sum, found)) == pytest.approx(expected, abs=1e-9)


def apart(worked: Group) -> Group:
    """The group with places and actions that nobody else came to, nor itself at another time."""
    return group(
        *(
            replace(
                member,
                first=replace(member.first, key=f"{m}", state=f"{m}"),
                turns=tuple(
                    replace(
                        t,
                        action=None if t.action is None else f"{m}/{k}",
                        observation=replace(t.observation, key=f"{m}/{k}", state=f"{m}/{k}"),
                    )
                    for k, t in enumerate(member.turns)
                ),
            )
            for m, member in enumerate(worked.episodes)
            if member.first is not None
        )
    )


@tens
@given(seeds)
def test_without_a_shared_edge_salt_is_its_base(seed: int) -> None:
    random = Random(seed)
    groups = [apart(random_group(random)) for _ in range(TOGETHER)]
    given_, key_window = scored(*groups), random.randint(1, 4)
    for base in ALL_BASES:
        credited = Salt(key_window=key_window, base=base)(given_)
        assert credited.metrics["graph/merge_rate"] == 0.0
        for worked, found in zip(groups, credited.advantages, strict=True):
            own = own_advantages(base, worked)
            expected = tuple((a,) * len(m.turns) for m, a in zip(worked.episodes, own, strict=True))
            assert_near(found, expected, base)
    # To the last bit the numbers of the scheme that it starts from.
    assert Salt()(given_).advantages == credits.make("grpo")(given_).advantages
    assert Salt(base="rloo")(given_).advantages == credits.make("rloo")(given_).advantages


WITH_EPISODE_TERM = ("crbc", "gigpo", "graphgpo", "graphhca", "rewardflow")
"""G2PO has a term that compares all turns of a group, wherever they were."""


@tens
@given(seeds)
def test_without_a_shared_state_the_graph_schemes_are_their_episode_term(seed: int) -> None:
    random = Random(seed)
    given_ = scored(*(apart(random_group(random)) for _ in range(TOGETHER)))
    for name in WITH_EPISODE_TERM:
        bare = credits.make(name, step_weight=0.0)
        assert SCHEMES[name](given_).advantages == bare(given_).advantages, name
    for name in ("graft", "hgpo"):
        assert set(numbers(SCHEMES[name](given_).advantages)) <= {0.0}, name

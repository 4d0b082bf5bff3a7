"""The graph schemes on random groups: equality with the dictionary oracles, and invariants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from graph_groups import Table, random_groups, walks
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import group, scored

from agentgym.registry import credits
from agentgym.trainers.credit import Credit
from agentgym.trainers.credit.crbc import Crbc
from agentgym.trainers.credit.g2po import G2po
from agentgym.trainers.credit.gigpo import Gigpo
from agentgym.trainers.credit.graft import Graft
from agentgym.trainers.credit.graphgpo import GraphGpo
from agentgym.trainers.credit.graphhca import GraphHca
from agentgym.trainers.credit.grpo import Grpo
from agentgym.trainers.credit.hgpo import Hgpo
from agentgym.trainers.credit.rewardflow import RewardFlow
from agentgym.trainers.credit.salt import Salt
from agentgym.types import Episode, Status
from oracles import state_graph as oracle

many = settings(max_examples=100, deadline=None)
"""Of five groups each."""
seeds = st.integers(0, 2**32)

ORACLES: dict[str, tuple[Credit, Callable[[Any], Any]]] = {
    "gigpo": (Gigpo(), lambda g: oracle.gigpo(g, "sample", False)),
    "gigpo by turns": (
        Gigpo(std="none", baseline="turns"), lambda g: oracle.gigpo(g, "none", True)
    ),
    "hgpo": (Hgpo(), lambda g: oracle.hgpo(g, "population")),
    "hgpo, long": (Hgpo(history=4, std="none"), lambda g: oracle.hgpo(g, "none", 4)),
    "graphgpo": (GraphGpo(decay=0.5), lambda g: oracle.graphgpo(g, "sample", False, 0.5)),
    "graphgpo by turns": (
        GraphGpo(baseline="turns"), lambda g: oracle.graphgpo(g, "sample", True)
    ),
    "g2po": (G2po(), lambda g: oracle.g2po(g, "sample", False)),
    "g2po by turns": (
        G2po(std="none", baseline="turns"), lambda g: oracle.g2po(g, "none", True)
    ),
    "graft": (Graft(), oracle.graft),
    "graphhca": (GraphHca(), oracle.graphhca),
    "rewardflow": (RewardFlow(), lambda g: oracle.rewardflow(g, "none")),
}  # fmt: skip


@many
@given(seeds)
def test_random_groups_equal_the_oracles(seed: int) -> None:
    groups = random_groups(seed)
    for what, (scheme, slow) in ORACLES.items():
        for got, worked in zip(scheme(scored(*groups)).advantages, groups, strict=True):
            assert_near(got, slow(walks(worked.episodes)), what)


@many
@given(seeds)
def test_random_groups_equal_crbc_of_the_oracle(seed: int) -> None:
    groups = random_groups(seed)
    for got, worked in zip(Crbc()(scored(*groups)).advantages, groups, strict=True):
        assert_near(got, oracle.crbc(walks(worked.episodes)), "crbc")


def assert_near(got: Table, expected: Table, what: str) -> None:
    assert [len(row) for row in got] == [len(row) for row in expected], what
    for mine, other in zip(got, expected, strict=True):
        assert list(mine) == pytest.approx(other, abs=1e-6), what


GRAPH_SCHEMES = (
    "crbc", "g2po", "gigpo", "graft", "graphgpo", "graphhca", "hgpo", "rewardflow", "salt",
)  # fmt: skip


def every_scheme() -> dict[str, Credit]:
    return {name: credits.make(name) for name in GRAPH_SCHEMES}


@many
@given(seeds)
def test_the_order_of_members_does_not_matter(seed: int) -> None:
    groups = random_groups(seed)
    orders = [Random(seed).sample(range(n), n) for n in (len(g.episodes) for g in groups)]
    shuffled = [
        group(*(g.episodes[index] for index in order))
        for g, order in zip(groups, orders, strict=True)
    ]
    for name, scheme in every_scheme().items():
        straight = scheme(scored(*groups)).advantages
        again = scheme(scored(*shuffled)).advantages
        for before, after, order in zip(straight, again, orders, strict=True):
            assert_near(after, [before[index] for index in order], name)


@many
@given(seeds)
def test_groups_never_touch_each_other(seed: int) -> None:
    groups = random_groups(seed)
    for name, scheme in every_scheme().items():
        together = scheme(scored(*groups)).advantages
        assert together == tuple(scheme(scored(alone)).advantages[0] for alone in groups), name


@many
@given(seeds)
def test_untrainable_members_do_not_matter(seed: int) -> None:
    random = Random(seed)
    groups = random_groups(seed)
    mixed = [list(healthy.episodes) for healthy in groups]
    for row, lost in zip(mixed, random_groups(seed + 1), strict=True):
        for member in lost.episodes:
            status = random.choice([Status.INFRA_ERROR, Status.SCORE_ERROR])
            broken = replace(member, status=status, score=None)
            row.insert(random.randint(0, len(row)), broken)
    for name, scheme in every_scheme().items():
        assert scheme(scored(*(group(*row) for row in mixed))) == scheme(scored(*groups)), name


@many
@given(seeds, st.integers(1, 4))
def test_without_a_shared_edge_salt_is_its_base(seed: int, key_window: int) -> None:
    unshared = [
        group(*(all_its_own(m, member) for m, member in enumerate(g.episodes)))
        for g in random_groups(seed)
    ]
    salt = Salt(key_window=key_window)(scored(*unshared))
    assert salt.advantages == Grpo()(scored(*unshared)).advantages
    assert salt.metrics["salt/merge_rate"] == 0.0


def all_its_own(number: int, member: Episode) -> Episode:
    """The episode with actions that nobody else took, nor itself at another time."""
    turns = tuple(replace(t, action=f"{number} {k}") for k, t in enumerate(member.turns))
    return replace(member, turns=turns)

"""The graph schemes on random groups: equality with the dictionary oracles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from graph_groups import Table, random_groups, walks
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import scored

from agentgym.trainers.credit import Credit
from agentgym.trainers.credit.crbc import Crbc
from agentgym.trainers.credit.g2po import G2po
from agentgym.trainers.credit.gigpo import Gigpo
from agentgym.trainers.credit.graft import Graft
from agentgym.trainers.credit.graphgpo import GraphGpo
from agentgym.trainers.credit.graphhca import GraphHca
from agentgym.trainers.credit.hgpo import Hgpo
from agentgym.trainers.credit.rewardflow import RewardFlow
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

"""The two worked groups of the graph schemes, and how their tables are compared."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from scored import ended, group, scored

from agentgym.trainers.credit import Credit
from agentgym.types import Group

Table = Sequence[Sequence[float]]

SHOP = (
    "search[red shoes]->R1, click[B1]->B1, buy->END",
    "search[red shoes]->R1, click[B1]->B1, click[size 9]->B1s, buy->END",
    "search[red shoes]->R1, click[B2]->B2, buy->END",
    "search[shoes]->R2, click[B1]->B1, buy->END",
)
LOOP = (
    "search->R1, next->P2, prev->R1, buy->END",
    "search->R1, next->P2, prev->R1, next->P2, prev->R1, quit->END",
)


def shop(*scores: float, worth: float = 1.0) -> Group:
    """S1 with these scores; the last turn of each episode earns its score times `worth`."""
    return group(*(ended(s, r, reward=worth * r) for s, r in zip(SHOP, scores, strict=True)))


S1 = shop(1.0, 0.0, 0.0, 0.0, worth=10.0)
"""Only the first succeeds; a success earns 10, as in the environments of the papers."""
S1_PAID = shop(1.0, 0.0, 0.0, 0.5)
"""The fourth fails with half the score, and the last turn earns the score."""
S1_FAILED = shop(0.0, 0.0, 0.0, 0.0)
S2 = group(*(ended(steps, score) for steps, score in zip(LOOP, (1.0, 0.0), strict=True)))


def table(scheme: Credit, worked: Group) -> list[list[float]]:
    """The advantages of one group."""
    (members,) = scheme(scored(worked)).advantages
    return [list(member) for member in members]


def assert_table(got: Table, expected: Table, *, tolerance: float = 2e-6) -> None:
    """The worked numbers have six decimals, and some papers' eps is of that size."""
    assert [len(row) for row in got] == [len(row) for row in expected]
    for mine, row in zip(got, expected, strict=True):
        assert mine == pytest.approx(row, abs=tolerance)

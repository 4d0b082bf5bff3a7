"""The two worked groups of the graph schemes, random ones, and how tables are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from scored import ended, episode, group, scored, turn

from agentgym.trainers.credit import Credit
from agentgym.types import Episode, Group, Status, Turn
from oracles.state_graph import Walk

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
        assert mine == pytest.approx(row, abs=tolerance, rel=tolerance)


def random_groups(seed: int, count: int = 5, *, cut: float = 0.25) -> list[Group]:
    """Groups over so few actions and states that everything recurs.

    Args:
        cut: the share of turns that were cut.
    """
    random = Random(seed)
    return [random_group(random, cut) for _ in range(count)]


def random_group(random: Random, cut: float) -> Group:
    """One of them, of up to six members with up to eight turns."""
    return group(
        *(
            finished(
                [
                    turn(
                        random.choice(["a", "b", None]),
                        random.choice(["x", "y", "start"]),
                        finish="length" if random.random() < cut else "stop",
                        reward=random.choice([0.0, 0.0, 0.5, 1.0]),
                    )
                    for _ in range(random.randint(0, 8))
                ],
                won=random.random() < 0.4,
                score=random.randint(0, 4) / 4,
            )
            for _ in range(random.randint(0, 6))
        )
    )


def finished(turns: Sequence[Turn], *, won: bool, score: float) -> Episode:
    """An episode whose success does not follow from its score."""
    status = Status.SUCCESS if won else Status.FAILURE
    return replace(episode(turns, score), status=status, success=won)


def walks(row: Sequence[Episode]) -> list[Walk]:
    """The episodes as the oracles take them."""
    return [
        Walk(
            states=["start", *(t.observation.key for t in member.turns)][: len(member.turns)],
            actions=[t.action or ("invalid", t.invalid) for t in member.turns],
            rewards=[t.reward for t in member.turns],
            cut=[t.finish != "stop" for t in member.turns],
            won=bool(member.success),
            outcome=member.score or 0.0,
        )
        for member in row
    ]

"""The graph kernel: numbers for keys, exact whatever their range."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from graph_groups import S1, S1_FAILED
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import episode, group, scored, turn

from agentgym.trainers.credit import graph, layout, similar
from agentgym.trainers.credit.gigpo import Gigpo
from agentgym.trainers.credit.graph import identify, mean_by
from agentgym.trainers.credit.graphgpo import GraphGpo

quick = settings(max_examples=100)

HUGE = 2**40 - 1
"""With it in a second column, 0 and 2**24 in the first are 2**64 apart: equal in an int64."""

rows_of_columns = st.integers(1, 6).flatmap(
    lambda width: st.lists(
        st.tuples(*[st.sampled_from([0, 1, 2**24, HUGE])] * width), max_size=30
    ).map(lambda rows: (width, rows))
)


@quick
@given(rows_of_columns)
def test_equal_rows_share_a_number_and_no_others_do(
    table: tuple[int, list[tuple[int, ...]]],
) -> None:
    width, rows = table
    columns = [np.array([row[index] for row in rows], dtype=np.int64) for index in range(width)]
    ids = identify(columns).tolist()
    assert len(set(zip(ids, rows, strict=True))) == len(set(ids)) == len(set(rows))
    assert sorted(set(ids)) == list(range(len(set(rows))))


def test_mean_by_leaves_gaps_in_the_numbers_alone() -> None:
    means = mean_by(np.array([1.0, 0.1, 3.0]), np.array([0, 5, 0]))
    assert means.tolist() == [2.0, 0.1, 2.0]


def test_the_examples_in_the_docstrings_hold() -> None:
    for module in (graph, layout, similar):
        results = doctest.testmod(module)
        assert results.attempted > 0
        assert results.failed == 0


def test_metrics_say_what_there_was_to_compare() -> None:
    metrics = GraphGpo()(scored(S1, S1_FAILED)).metrics
    assert metrics == pytest.approx(
        {
            "credit/zero_groups": 0.5,
            # the first search (3), click[B1] from R1 (2); where all fail, buy at B1 (2)
            "graph/merge_rate": (5 + 7) / 26,
            # ROOT 4, R1 3, B1 3
            "graph/rivals": 10 / 13,
            # the searches tie in S1, everything does in the group without success
            "graph/ties": (4 + 10) / 20,
            # R2, B1s and B2 of ROOT, R1, R2, B1, B1s, B2
            "graph/singletons": 0.5,
            # visitors: 4 + 3 + 1 + 3 + 1 + 1
            "graph/reach": 13 / 6,
            "graph/won_groups": 0.5,
        }
    )


def test_a_turn_that_is_not_compared_has_no_rival_and_is_none() -> None:
    """b earns more than c, so nothing ties; the cut turn's 0 is no tie."""
    cut = episode([turn("a", "x", finish="length")], 0.0)
    b, c = episode([turn("b", "y", reward=1.0)], 1.0), episode([turn("c", "z")], 0.0)
    assert Gigpo()(scored(group(cut, b))).metrics["graph/rivals"] == 0.0
    metrics = Gigpo()(scored(group(cut, b, c))).metrics
    assert (metrics["graph/rivals"], metrics["graph/ties"]) == (2 / 3, 0.0)


def test_a_turn_between_two_others_is_no_tie() -> None:
    """Its credit is 0, for it earned the mean; but it is told apart from both."""
    three = (episode([turn(a, a, reward=r)], r) for a, r in (("a", 0.0), ("b", 0.5), ("c", 1.0)))
    credited = Gigpo(episode_weight=0.0)(scored(group(*three)))
    assert credited.advantages[0][1] == (0.0,)
    assert credited.metrics["graph/ties"] == 0.0

"""Figures of an evaluation: means over tasks, and intervals of known cases."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scored import episode, group, turn

from agentgym.panel import Panel
from agentgym.trainers.evaluate import Figures, Interval, figures, gain, interval
from agentgym.types import Group, Task


def task(number: int, kind: str | None) -> Task:
    return Task(id=str(number), split="gen1/unseen", seed=0, public={"type": kind} if kind else {})


def judged(scores: Mapping[int, Sequence[float | None]], *, kinds: str = "") -> Figures:
    """Figures of tasks by number; a score of 1 is a success, None an error of ours.

    Args:
        kinds: a letter a task; none at all without it.
    """
    tasks = tuple(task(n, kinds[n] if kinds else None) for n in sorted(scores))
    panel = Panel(name="gen1/unseen", env="test/None-v0", tasks=tasks)
    groups = []
    for number, row in scores.items():
        members = [
            replace(episode([turn("a", "b")], score), success=None if score is None else score == 1)
            for score in row
        ]
        groups.append(Group(task_id=str(number), episodes=group(*members).episodes))
    return figures(groups, panel)


def test_every_task_weighs_the_same_and_lost_episodes_weigh_nothing() -> None:
    result = judged({0: [1.0, 1.0], 1: [0.0, None], 2: [1.0, 0.5, 0.0, 0.0], 3: [None, None]})
    assert result.by_task == {"0": 1.0, "1": 0.0, "2": 0.25}
    assert result.success == pytest.approx(1.25 / 3)
    assert (result.n, result.episodes, result.num_errors) == (3, 7, 3)
    assert result.score == pytest.approx(3.5 / 7)
    assert result.by_type == {"all": result.success}


def test_types_are_averaged_apart() -> None:
    result = judged({0: [1.0], 1: [0.0], 2: [1.0, 0.0]}, kinds="abb")
    assert result.by_type == {"a": 1.0, "b": 0.25}
    assert result.success == pytest.approx(0.5)


def test_an_evaluation_of_nothing_has_no_figures_and_no_zeros() -> None:
    result = judged({0: [None]})
    assert (result.success, result.n, result.score, result.ci95) == (None, 0, None, None)
    assert result.by_type == {"all": None}
    assert result.summary()["num_errors"] == 1
    assert gain(result, judged({0: [1.0]})) == (None, None)


def test_a_type_that_was_lost_whole_has_no_figure_beside_those_that_were_not() -> None:
    result = judged({0: [1.0], 1: [None, None], 2: [0.0]}, kinds="aba")
    assert result.by_type == {"a": 0.5, "b": None}


def test_a_summary_is_plain_and_leaves_single_tasks_out() -> None:
    summary = judged({0: [1.0], 1: [0.0]}).summary()
    assert summary.keys() == {
        "success", "n", "episodes", "ci95", "by_type", "score", "num_errors",
    }  # fmt: skip


def test_the_gain_is_paired_by_task() -> None:
    before = judged({0: [0.0], 1: [1.0], 2: [0.0], 3: [1.0]})
    after = judged({0: [1.0], 1: [1.0], 2: [0.0], 3: [None]})
    difference, ci95 = gain(before, after)
    assert difference == pytest.approx(1 / 3)
    assert ci95 == (0.0, 1.0)
    assert gain(before, before) == (0.0, (0.0, 0.0))


def test_a_steady_gain_has_no_width_however_different_the_tasks_are() -> None:
    """The point of pairing: unpaired, the spread of the tasks would swamp the gain."""
    before = judged({n: [0.0, 0.0] if n % 2 else [1.0, 0.0] for n in range(40)})
    after = judged({n: [1.0, 0.0] if n % 2 else [1.0, 1.0] for n in range(40)})
    assert gain(before, after) == (0.5, (0.5, 0.5))
    low, high = before.ci95 or (0.0, 0.0)
    assert high - low > 0.1


def known(values: Sequence[float]) -> Interval:
    """The interval of at least one value."""
    found = interval(values)
    assert found is not None
    return found


def test_intervals_of_known_cases() -> None:
    assert interval([]) is None
    assert interval([0.3]) == (0.3, 0.3)
    assert interval([1.0] * 50) == (1.0, 1.0)
    coin = [0.0, 1.0] * 200
    low, high = known(coin)
    # The normal interval: 1.96 x 0.5 / sqrt(400) = 0.049; means are multiples of 1/400.
    assert (low, high) == pytest.approx((0.5 - 0.049, 0.5 + 0.049), abs=0.005)


def test_the_interval_is_the_plain_percentile_bootstrap() -> None:
    values = np.random.default_rng(3).random(23)
    picks = np.random.default_rng(0).integers(23, size=(10_000, 23))
    expected = np.quantile(values[picks].mean(axis=1), [0.025, 0.975])
    assert interval(values.tolist()) == pytest.approx(tuple(expected))


def test_the_interval_covers_the_truth_about_95_times_in_a_hundred() -> None:
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        low, high = known(generator.random(40).tolist())
        covered += low <= 0.5 <= high
    # The standard error of 200 draws is 1.5 points; small samples cover a little less.
    assert 0.89 <= covered / 200 <= 0.99


def test_thousands_of_tasks_take_little_memory() -> None:
    low, high = known([float(n % 2) for n in range(5000)])
    assert math.isclose((low + high) / 2, 0.5, abs_tol=0.01)

"""The uniform curriculum: every task once a pass, as a function of seed and step alone."""

from __future__ import annotations

import pytest

from agentgym.panel import Panel
from agentgym.trainers.curriculum import Uniform
from agentgym.types import Task


def panel_of(size: int) -> Panel:
    tasks = tuple(Task(id=str(i), split="gen1/train", seed=i) for i in range(size))
    return Panel(name="gen1/train", env="test/None-v0", tasks=tasks)


def drawn(size: int, steps: range, *, count: int, seed: int = 0) -> list[str]:
    """Task ids in the order in which the steps play them."""
    panel = panel_of(size)
    return [task.id for step in steps for task in Uniform()(panel, step, count=count, seed=seed)]


@pytest.mark.parametrize(("size", "count"), [(12, 4), (10, 4), (3, 8), (1, 2), (7, 7)])
def test_every_task_comes_once_before_any_comes_again(size: int, count: int) -> None:
    ids = drawn(size, range(21), count=count)
    assert len(ids) == 21 * count
    for first in range(0, len(ids) - size, size):
        assert len(set(ids[first : first + size])) == size


def test_passes_and_seeds_have_orders_of_their_own() -> None:
    ids = drawn(50, range(10), count=10)
    assert ids[:50] != ids[50:]
    assert ids != drawn(50, range(10), count=10, seed=1)


def test_a_step_needs_no_history() -> None:
    assert drawn(11, range(5, 9), count=4) == drawn(11, range(9), count=4)[20:]

"""What the studies of learning claims compare, and how they count."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.study import STUDIES, Run, Study, difference, signals
from scored import ended, group

from agentgym.trainers.checks import check_recipe
from agentgym.trainers.config import resolve


@pytest.mark.parametrize(
    "arm,recipe", sorted({pair for study in STUDIES.values() for pair in study.arms.items()})
)
def test_every_arm_is_a_recipe_that_runs(arm: str, recipe: str) -> None:
    check_recipe(resolve(recipe, {"credit": {"name": arm}, "warm_start": None}))


@pytest.mark.parametrize("study", STUDIES.values(), ids=list(STUDIES))
def test_the_arms_of_a_study_differ_in_credit_alone(study: Study) -> None:
    names = [study.recipe, *study.arms.values()]
    recipes = [resolve(name).model_dump(exclude={"title", "credit", "rewards"}) for name in names]
    assert all(recipe == recipes[0] for recipe in recipes)


def test_a_group_without_an_outcome_signal_learns_where_an_advantage_is_not_zero() -> None:
    won, lost = ended("a->x", 1.0), ended("a->y", 0.0)
    assert signals(group(won, lost)) == ["all"]
    assert signals(group(lost, lost)) == ["all", "without_signal"]
    flat, paid = (replace(lost, advantages=(value,)) for value in (0.0, 0.5))
    assert signals(group(flat, flat)) == ["all", "without_signal"]
    assert signals(group(flat, paid)) == ["all", "without_signal", "still_learned"]


def test_differences_are_paired_by_task_over_the_means_of_seeds() -> None:
    first = [Run({"success": {"a": 1.0, "b": 0.0}}, {}), Run({"success": {"a": 0.0, "b": 0.0}}, {})]
    second = [Run({"success": {"b": 1.0, "a": 0.5, "c": 1.0}}, {})]
    found = difference(first, second, "success")
    assert found["mean"] == -0.5
    assert found["tasks"] == 2
    assert found["ci95"] == (-1.0, 0.0)

"""An environment without a panel of its own: its tasks are seeds."""

from __future__ import annotations

import pytest
from seeded_env import Guess

from agentgym.checker import check_env
from agentgym.env import env_class
from agentgym.errors import UsageError


def first_text(split: str, index: int) -> str:
    """What a task of that split begins with, in an environment of its own."""
    task = Guess.panel(split).tasks[index]
    observation, _ = Guess().reset(seed=task.seed, options={"task": task})
    return str(observation.text)


def test_an_environment_of_seeds_keeps_the_contract() -> None:
    results = check_env("seeded_env:Guess")
    assert [(check.name, check.reason) for check in results if not check.ok] == []


def test_its_panels_are_seeds_that_no_two_splits_share() -> None:
    train, unseen = (Guess.panel(split) for split in Guess.splits())
    assert (train.name, len(train), unseen.name, len(unseen)) == (
        "gen1/train", 1000, "gen1/unseen", 100,
    )  # fmt: skip
    assert not {task.seed for task in train} & {task.seed for task in unseen}
    assert [task.id for task in unseen][:2] == ["1000", "1001"]
    assert env_class(train.env) is Guess


def test_a_seed_draws_the_same_task_every_time_and_another_one_another() -> None:
    drawn = [first_text(split, index) for split in Guess.splits() for index in range(5)]
    assert drawn == [first_text(split, index) for split in Guess.splits() for index in range(5)]
    assert len(set(drawn)) == 10


def test_an_unknown_split_of_seeds_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'gen1/unseen'"):
        Guess.panel("gen1/unsee")

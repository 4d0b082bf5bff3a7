"""Demonstrations: successful episodes only, with mistakes that are marked as such."""

from __future__ import annotations

import pytest
from saying_env import Saying, saying

from agentgym.demonstrate import Demonstration, demonstrate
from agentgym.env import env_class
from agentgym.errors import EnvError, UsageError
from agentgym.types import Task

CORRIDOR = "agentgym/Corridor-v0"
TASKS = env_class(CORRIDOR).panel("gen1/train").tasks


def corridor(
    *, seed: int = 0, mistakes: float = 0.0, max_turns: int | None = None
) -> list[Demonstration]:
    return list(
        demonstrate(CORRIDOR, TASKS, seed=seed, mistakes=mistakes, max_turns=max_turns)
    )


def test_a_demonstration_is_the_expert_played_out() -> None:
    for demonstration, chosen in zip(corridor(), TASKS, strict=True):
        env = env_class(CORRIDOR)()
        observation, _ = env.reset(options={"task": chosen})
        assert demonstration.task_id == chosen.id
        assert demonstration.system_prompt == env.system_prompt
        assert demonstration.first == observation
        for turn in demonstration.turns:
            assert turn.action == env.expert_action()
            assert not turn.is_mistake
            assert turn.observation == env.step(turn.action)[0]
        assert env.outcome().success


def test_the_share_of_mistakes_is_what_was_asked_and_every_episode_still_wins() -> None:
    for share in (0.2, 0.5):
        found = [d for seed in range(8) for d in corridor(seed=seed, mistakes=share, max_turns=60)]
        turns = [turn for demonstration in found for turn in demonstration.turns]
        marked = sum(turn.is_mistake for turn in turns) / len(turns)
        # Around 3,000 turns: three standard errors are below 0.03. The last turn, which wins,
        # is no mistake more often than others, hence the rest of the slack.
        assert abs(marked - share) < 0.06
        assert len(found) == 8 * len(TASKS)
        for demonstration in found:
            env = env_class(CORRIDOR)()
            env.reset(options={"task": next(t for t in TASKS if t.id == demonstration.task_id)})
            for turn in demonstration.turns:
                env.step(turn.action)
            assert env.outcome().success


def test_mistakes_are_offered_actions() -> None:
    for demonstration in corridor(mistakes=0.5):
        choices = demonstration.first.choices or ()
        for turn in demonstration.turns:
            if turn.is_mistake:
                assert turn.action in choices
            choices = turn.observation.choices or ()


def test_equal_seeds_give_equal_demonstrations_and_others_differ() -> None:
    assert corridor(seed=3, mistakes=0.4) == corridor(seed=3, mistakes=0.4)
    assert corridor(seed=3, mistakes=0.4) != corridor(seed=4, mistakes=0.4)


def test_episodes_that_do_not_win_within_the_limit_are_left_out() -> None:
    full, short = corridor(), corridor(max_turns=4)
    fitting = [d for d in full if len(d.turns) <= 4]
    assert 0 < len(fitting) < len(full)
    assert short == fitting


def test_an_environment_without_an_expert_is_refused() -> None:
    with pytest.raises(UsageError, match="'faulty_env:FaultyEnv' has no expert"):
        list(
            demonstrate("faulty_env:FaultyEnv", [], seed=0, mistakes=0.0, max_turns=None)
        )


def test_an_environment_that_fails_names_the_task_and_is_closed() -> None:
    broken = Task(id="broken", split="gen1/train", seed=0)  # no "says" in it
    num_closed = Saying.num_closed
    found = demonstrate(
        "saying_env:Saying", [saying("a"), broken], seed=0, mistakes=0.0, max_turns=None
    )
    assert [turn.observation.text for turn in next(found).turns] == ["a", "a", "a"]
    with pytest.raises(EnvError, match="demonstration of task 'broken': KeyError: 'says'"):
        next(found)
    assert Saying.num_closed == num_closed + 1

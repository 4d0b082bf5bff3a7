"""Demonstrations: successful episodes only, with mistakes that are marked as such."""

from __future__ import annotations

import asyncio

import pytest
from faulty_env import task
from saying_env import Saying, saying

from agentgym.demonstrate import HOPELESS, Demonstration, Tally, demonstrate
from agentgym.env import env_class
from agentgym.errors import UsageError
from agentgym.pool import InlinePool, Pool, ProcessPool
from agentgym.types import Task
from agentgym.worker import Deadlines

CORRIDOR = "agentgym/Corridor-v0"
TASKS = env_class(CORRIDOR).panel("gen1/train").tasks
QUIT = env_class("broken_envs:Quitter").panel("gen1/train").tasks


def corridor(
    *, seed: int = 0, mistakes: float = 0.0, max_turns: int | None = None
) -> list[Demonstration]:
    return list(
        demonstrate(InlinePool(CORRIDOR, max_turns=max_turns), TASKS, seed=seed, mistakes=mistakes)
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


def test_how_demonstrations_ended_is_counted() -> None:
    tally = Tally()
    pool = InlinePool(CORRIDOR, max_turns=4)
    won = list(demonstrate(pool, TASKS, seed=0, mistakes=0.5, tally=tally))
    turns = [turn for demonstration in won for turn in demonstration.turns]
    assert (tally.won, tally.turns) == (len(won), len(turns))
    assert tally.mistakes == sum(turn.is_mistake for turn in turns) > 0
    assert 0 < tally.late == tally.played - tally.won
    assert tally.played == len(TASKS)
    lost = Tally()
    assert not list(
        demonstrate(InlinePool("broken_envs:Quitter"), QUIT, seed=0, mistakes=0.0, tally=lost)
    )
    assert (lost.played, lost.won, lost.lost, lost.late, lost.failed) == (5, 0, 5, 0, 0)


def test_where_nothing_else_is_offered_no_turn_is_called_a_mistake() -> None:
    """There is no other action to take the expert's place, so what is shown is to be imitated."""
    tally = Tally()
    pool = InlinePool("seeded_env:Guess")
    tasks = env_class("seeded_env:Guess").panel("gen1/train").tasks[:20]
    found = list(demonstrate(pool, tasks, seed=0, mistakes=0.9, tally=tally))
    assert [turn.is_mistake for shown in found for turn in shown.turns] == [False] * 20
    assert (tally.turns, tally.mistakes) == (20, 0)


def test_an_environment_without_an_expert_is_refused() -> None:
    with pytest.raises(UsageError, match="has no expert to demonstrate; set `expert_name`"):
        list(demonstrate(InlinePool("faulty_env:FaultyEnv"), TASKS, seed=0, mistakes=0.0))


def close(pool: Pool) -> None:
    asyncio.run(pool.close())


def test_a_seed_gives_the_same_demonstrations_from_both_pools() -> None:
    pool = ProcessPool(CORRIDOR, num_workers=2)
    found = list(demonstrate(pool, TASKS[:6], seed=3, mistakes=0.4))
    close(pool)
    assert found == corridor(seed=3, mistakes=0.4)[:6]


def test_a_failure_costs_its_own_demonstration_and_its_environment() -> None:
    broken = Task(id="broken", split="gen1/train", seed=0)  # no "says" in it
    num_closed = Saying.num_closed
    tally = Tally()
    pool = InlinePool("saying_env:Saying")
    asked = [saying("a"), broken, saying("b")]
    found = list(demonstrate(pool, asked, seed=0, mistakes=0.0, tally=tally))
    assert [shown.turns[0].observation.text for shown in found] == ["a", "b"]
    assert tally.failed == 1
    assert tally.last == "task 'broken': demonstrate: KeyError: 'says'"
    assert Saying.num_closed == num_closed + 1
    close(pool)


FAULTS = ("sleep", "exit process", "raise SystemExit")


@pytest.mark.parametrize("phase", ["reset", "step", "outcome"])
def test_what_kills_hangs_or_leaves_a_worker_costs_one_demonstration_each(phase: str) -> None:
    deadlines = Deadlines(reset_s=5, demonstrate_s=5, outcome_s=5, close_s=5)
    pool = ProcessPool("faulty_env:Shown", num_workers=1, deadlines=deadlines)
    asked = [fine := task("", ""), *(task(phase, fault) for fault in FAULTS), fine]
    tally = Tally()
    found = list(demonstrate(pool, asked, seed=0, mistakes=0.0, tally=tally))
    assert len(found) == 2
    assert found[0].turns == found[1].turns
    assert tally.failed == len(FAULTS)
    called = "demonstrate" if phase == "step" else phase
    assert tally.last == f"task '{phase} raise SystemExit': {called}: SystemExit: 5"
    close(pool)


def test_what_always_fails_is_given_up_and_what_once_worked_is_not() -> None:
    broken = Task(id="broken", split="gen1/train", seed=0)
    pool = InlinePool("saying_env:Saying")
    hopeless, patient = Tally(), Tally()
    asked = [broken] * 30
    assert not list(demonstrate(pool, asked, seed=0, mistakes=0.0, tally=hopeless))
    assert hopeless.failed == HOPELESS
    asked = [saying("a"), *asked]
    assert len(list(demonstrate(pool, asked, seed=0, mistakes=0.0, tally=patient))) == 1
    assert patient.failed == 30
    close(pool)

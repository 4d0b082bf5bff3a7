"""Which groups a train step learns from."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scored import ended, episode, gained, group, scored

from agentgym.registry import credits
from agentgym.trainers.keep import carries_credit, is_informative
from agentgym.trainers.pack import assign
from agentgym.types import Group


def credited(name: str, members: Group) -> Group:
    (done,) = assign([members], credits.make(name)(scored(members)))
    return done


def rows(first: float, second: float, gain: float) -> Group:
    return group(episode(gained([gain, None]), first), episode(gained([-gain, None]), second))


@pytest.mark.parametrize("name", ["grpo", "igpo"])
def test_scores_that_differ_are_kept_and_a_group_without_credit_never(name: str) -> None:
    assert is_informative(credited(name, rows(1.0, 0.0, 0.5)), credits.make(name))
    assert not is_informative(credited(name, rows(1.0, 1.0, 0.0)), credits.make(name))
    assert not is_informative(credited(name, group()), credits.make(name))


def test_a_group_without_outcome_signal_is_kept_where_its_turns_have_some() -> None:
    alike = rows(0.0, 0.0, 0.5)
    assert not is_informative(credited("grpo", alike), credits.make("grpo"))
    assert is_informative(credited("igpo", alike), credits.make("igpo"))


@pytest.mark.parametrize("gap", [0.0, 1e-9])
def test_shaping_of_the_outcome_alone_does_not_keep_a_group(gap: float) -> None:
    """The filter sees the score: GRPO was given an outcome that other channels moved apart."""
    shaped = rows(0.5, 0.5 + gap, 0.0)
    first, second = shaped.episodes
    moved = group(replace(first, advantages=(1.0, 1.0)), replace(second, advantages=(-1.0, -1.0)))
    assert carries_credit(moved)
    assert not is_informative(moved, credits.make("grpo"))


def test_a_small_difference_of_continuous_scores_is_one() -> None:
    assert is_informative(credited("grpo", rows(0.500, 0.501, 0.0)), credits.make("grpo"))


@pytest.mark.parametrize("name", ["graphgpo", "crbc", "gigpo"])
def test_a_scheme_of_states_tells_turns_apart_where_all_succeed(name: str) -> None:
    """From the same first state one went straight to the goal and one took a detour."""
    direct = ended("go->hall, open->goal", 1.0)
    detour = ended("go->hall, wait->hall, open->goal", 1.0)
    assert is_informative(credited(name, group(direct, detour)), credits.make(name))
    assert not is_informative(credited("salt", group(direct, detour)), credits.make("salt"))

"""Which groups a train step learns from."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from scored import ended, episode, gained, group, scored

from agentgym.registry import credits
from agentgym.trainers.keep import carries_credit, is_informative
from agentgym.trainers.pack import assign, pack
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


@pytest.mark.parametrize("name", ["grpo", "rloo", "dr_grpo", "reinforce_pp_baseline"])
@pytest.mark.parametrize("rare", [1.0, 0.0])
def test_the_only_one_of_its_kind_is_never_taken_for_trivial(name: str, rare: float) -> None:
    """Judged member by member, the one loser among seven winners was dropped."""
    members = [episode(gained([None]), rare)]
    members += [episode(gained([None, None]), 1.0 - rare) for _ in range(7)]
    lone = credited(name, group(*members))
    assert is_informative(lone, credits.make(name))
    (own, *others) = (episode.advantages or () for episode in lone.episodes)
    assert len(pack(lone.valid, mask_truncated=True)) == 8
    assert (own[-1] > 0) is (rare == 1.0)
    assert all(row[-1] * own[-1] < 0 for row in others)


@pytest.mark.parametrize(
    ("success", "shares"),
    [(0.05, [0.186, 0.337, 0.560]), (0.2, [0.589, 0.832, 0.972]), (0.5, [0.875, 0.992, 1.0])],
)
def test_the_share_of_informative_groups_is_that_of_the_binomial(
    success: float, shares: list[float]
) -> None:
    for size, share in zip((4, 8, 16), shares, strict=True):
        found = 0.0
        for won in range(size + 1):
            members = [episode(gained([None]), float(k < won)) for k in range(size)]
            if is_informative(credited("grpo", group(*members)), credits.make("grpo")):
                found += math.comb(size, won) * success**won * (1 - success) ** (size - won)
        assert found == pytest.approx(share, abs=6e-4)


@pytest.mark.parametrize("name", ["graphgpo", "crbc", "gigpo"])
def test_a_scheme_of_states_tells_turns_apart_where_all_succeed(name: str) -> None:
    """From the same first state one went straight to the goal and one took a detour."""
    direct = ended("go->hall, open->goal", 1.0)
    detour = ended("go->hall, wait->hall, open->goal", 1.0)
    assert is_informative(credited(name, group(direct, detour)), credits.make(name))
    assert not is_informative(credited("salt", group(direct, detour)), credits.make("salt"))

"""Decoding in static shapes: what it says, and that slots at rest keep what is in them."""

from __future__ import annotations

import pytest
from engine_play import Slow, forward_sizes, max_gap, play_all, said
from tiny_models import tiny_policy

from agentgym.trainers.engines.local import LocalEngine
from agentgym.trainers.engines.naive import NaiveEngine


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_it_says_what_generate_says(architecture: str, temperature: float) -> None:
    policy = tiny_policy(architecture=architecture)
    static = play_all(LocalEngine(policy, static_decode=True), temperature=temperature)
    naive = play_all(NaiveEngine(policy), temperature=temperature)
    assert said(static) == said(naive)
    assert max_gap(static, naive) < 1e-4


def test_few_slots_and_slow_environments_change_no_token() -> None:
    policy = tiny_policy()
    slow = play_all(Slow(LocalEngine(policy, max_episodes=5, static_decode=True)))
    free = play_all(LocalEngine(policy))
    assert said(slow) == said(free)
    assert max_gap(slow, free) < 1e-4


def test_most_forwards_are_of_every_slot_once() -> None:
    policy = tiny_policy()
    with forward_sizes(policy) as sizes:
        play_all(LocalEngine(policy, static_decode=True))
    assert sizes.count(12) > len(sizes) / 2

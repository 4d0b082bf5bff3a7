"""Demonstrations: episodes of an environment's demonstrator, with plausible mistakes put in.

A demonstrator that never fails never shows what to do after a slip; an imitator of clean
episodes meets "Nothing happens." for the first time on its own and loops. So a share of turns
is replaced by a mistake, marked so that nobody imitates it, and the demonstrator goes on.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import gymnasium

from agentgym.env import Demonstrator, TurnEnv, make
from agentgym.errors import EnvError, UsageError, boundary
from agentgym.types import Observation, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class DemonstratedTurn:
    """One action and its answer."""

    action: str
    is_mistake: bool
    """Replaced by a mistake: shown, never imitated."""
    observation: Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """One successful episode of a demonstrator."""

    task_id: str
    system_prompt: str
    first: Observation
    turns: tuple[DemonstratedTurn, ...]


def demonstrate(
    env_id: str,
    tasks: Iterable[Task],
    *,
    seed: int,
    mistakes: float,
    max_turns: int | None,
    args: Mapping[str, Any] | None = None,
) -> Iterator[Demonstration]:
    """One demonstration per task; those that do not end in success are left out.

    Args:
        mistakes: share of turns that are replaced by a mistake, in [0, 1).
        max_turns: None keeps the limit that the environment was registered with.
        args: the environment's own settings.

    Raises:
        EnvError: the environment or its demonstrator raised.
        UsageError: the environment has no demonstrator.
    """
    limit = {} if max_turns is None else {"max_episode_steps": max_turns}
    with boundary(EnvError, "making an environment to demonstrate"):
        env = make(env_id, **limit, **(args or {}))
    inner = env.unwrapped
    assert isinstance(inner, TurnEnv)
    if inner.expert_name is None:
        raise UsageError(f"environment '{env_id}' has no expert to demonstrate; set `expert_name`")
    demonstrator = inner.demonstrator(seed=seed)
    chance = random.Random(seed)
    with closing(env):
        for task in tasks:
            with boundary(EnvError, f"demonstration of task '{task.id}'"):
                first, turns = _play(env, demonstrator, task, chance=chance, mistakes=mistakes)
                success = inner.outcome().success
            if success:
                yield Demonstration(
                    task_id=task.id,
                    system_prompt=inner.system_prompt,
                    first=first,
                    turns=turns,
                )


def _play(
    env: gymnasium.Env[Observation, str],
    demonstrator: Demonstrator,
    task: Task,
    *,
    chance: random.Random,
    mistakes: float,
) -> tuple[Observation, tuple[DemonstratedTurn, ...]]:
    """One episode to its end."""
    first, _ = env.reset(seed=task.seed, options={"task": task})
    demonstrator.reset(first)
    turns: list[DemonstratedTurn] = []
    ended = False
    while not ended:
        is_mistake = chance.random() < mistakes
        action = demonstrator.mistake() if is_mistake else demonstrator.act()
        observation, _, terminated, truncated, _ = env.step(action)
        demonstrator.observe(action, observation)
        turns.append(
            DemonstratedTurn(action=action, is_mistake=is_mistake, observation=observation)
        )
        ended = terminated or truncated
    return first, tuple(turns)

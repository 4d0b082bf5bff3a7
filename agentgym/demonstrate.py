"""Demonstrations: episodes of an environment's demonstrator, with plausible mistakes put in.

A demonstrator that never fails never shows what to do after a slip; an imitator of clean
episodes meets "Nothing happens." for the first time on its own and loops. So a share of turns
is replaced by a mistake, marked so that nobody imitates it, and the demonstrator goes on.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Generator, Iterable
from dataclasses import dataclass

from agentgym.errors import AgentGymError, UsageError
from agentgym.pool import Pool, Seat
from agentgym.types import Observation, Task

HOPELESS = 20
"""So many failures in a row, and not one episode before them that did not fail, end the attempt:
each may take a worker's start or a deadline."""


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


@dataclass(slots=True)
class Failures:
    """Demonstrations that were lost because their environment failed."""

    count: int = 0
    last: str = ""
    """What the last one died of."""


def demonstrate(
    pool: Pool,
    tasks: Iterable[Task],
    *,
    seed: int,
    mistakes: float,
    failures: Failures | None = None,
) -> Generator[Demonstration, None, None]:
    """One demonstration per task; those that do not end in success are left out.

    So are those whose environment fails; after `HOPELESS` failures and nothing else there are no
    more. One environment at a time plays, for as long as it lives, so that a seed gives the same
    demonstrations from every pool.

    Args:
        mistakes: share of turns that are replaced by a mistake, in [0, 1).
        failures: fresh; counts as the iteration goes on.

    Raises:
        UsageError: the environment has no demonstrator.
    """
    failures = failures or Failures()
    chance = random.Random(seed)
    with asyncio.Runner() as runner:
        for number, task in enumerate(tasks):
            if failures.count == number >= HOPELESS:
                return
            # The demonstrator after a failure is a new one: it must not draw the same again.
            own_seed = seed + failures.count
            found = runner.run(_show(pool, task, seed=own_seed, chance=chance, mistakes=mistakes))
            if isinstance(found, AgentGymError):
                failures.count += 1
                failures.last = f"task '{task.id}': {found}"
            elif found is not None:
                yield found


async def _show(
    pool: Pool, task: Task, *, seed: int, chance: random.Random, mistakes: float
) -> Demonstration | AgentGymError | None:
    """A demonstration, or what the environment died of; None without success."""
    try:
        async with pool.seat() as seat:
            if seat.expert_name is not None:
                return await _play(seat, task, seed=seed, chance=chance, mistakes=mistakes)
    except AgentGymError as error:
        return error
    raise UsageError("the environment has no expert to demonstrate; set `expert_name`")


async def _play(
    seat: Seat, task: Task, *, seed: int, chance: random.Random, mistakes: float
) -> Demonstration | None:
    """One episode to its end."""
    first = await seat.reset(task, seed=task.seed)
    turns: list[DemonstratedTurn] = []
    ended = False
    while not ended:
        is_mistake = chance.random() < mistakes
        action, observation, ended = await seat.demonstrate(seed=seed, mistake=is_mistake)
        turns.append(
            DemonstratedTurn(action=action, is_mistake=is_mistake, observation=observation)
        )
    outcome = await seat.outcome()
    if not outcome.success:
        return None
    return Demonstration(
        task_id=task.id, system_prompt=seat.system_prompt, first=first, turns=tuple(turns)
    )

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
from agentgym.types import DemonstratedTurn, Observation, Status, Task

HOPELESS = 20
"""So many failures in a row, and not one episode before them that did not fail, end the attempt:
each may take a worker's start or a deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """One successful episode of a demonstrator."""

    task_id: str
    system_prompt: str
    first: Observation
    turns: tuple[DemonstratedTurn, ...]


@dataclass(slots=True)
class Tally:
    """How demonstrations ended."""

    won: int = 0
    lost: int = 0
    """Ended by the environment without success."""
    late: int = 0
    """Cut by the turn limit without success."""
    failed: int = 0
    """Lost because their environment failed."""
    last: str = ""
    """What the last one that failed died of."""
    turns: int = 0
    """Of those that won."""
    mistakes: int = 0
    """How many of these turns are mistakes."""

    @property
    def played(self) -> int:
        """All of them."""
        return self.won + self.lost + self.late + self.failed

    def add(self, task: Task, found: Demonstration | Status | AgentGymError) -> None:
        """Count one."""
        if isinstance(found, Demonstration):
            self.won += 1
            self.turns += len(found.turns)
            self.mistakes += sum(turn.is_mistake for turn in found.turns)
        elif isinstance(found, AgentGymError):
            self.failed += 1
            self.last = f"task '{task.id}': {found}"
        elif found is Status.TRUNCATED_TURNS:
            self.late += 1
        else:
            self.lost += 1


def demonstrate(
    pool: Pool,
    tasks: Iterable[Task],
    *,
    seed: int,
    mistakes: float,
    tally: Tally | None = None,
) -> Generator[Demonstration, None, None]:
    """One demonstration per task; those that do not end in success are left out.

    So are those whose environment fails; after `HOPELESS` failures and nothing else there are no
    more. One environment at a time plays, for as long as it lives, so that a seed gives the same
    demonstrations from every pool.

    Args:
        mistakes: share of turns that are replaced by a mistake, in [0, 1), where the demonstrator
            knows one.
        tally: fresh; counts as the iteration goes on.

    Raises:
        UsageError: the environment has no demonstrator.
    """
    tally = tally or Tally()
    chance = random.Random(seed)
    with asyncio.Runner() as runner:
        for number, task in enumerate(tasks):
            if tally.failed == number >= HOPELESS:
                return
            # The demonstrator after a failure is a new one: it must not draw the same again.
            own_seed = seed + tally.failed
            found = runner.run(_show(pool, task, seed=own_seed, chance=chance, mistakes=mistakes))
            tally.add(task, found)
            if isinstance(found, Demonstration):
                yield found


async def _show(
    pool: Pool, task: Task, *, seed: int, chance: random.Random, mistakes: float
) -> Demonstration | Status | AgentGymError:
    """A demonstration, how it ended without success, or what the environment died of."""
    try:
        async with pool.seat() as seat:
            if seat.expert_name is not None:
                return await _play(seat, task, seed=seed, chance=chance, mistakes=mistakes)
    except AgentGymError as error:
        return error
    raise UsageError("the environment has no expert to demonstrate; set `expert_name`")


async def _play(
    seat: Seat, task: Task, *, seed: int, chance: random.Random, mistakes: float
) -> Demonstration | Status:
    """One episode to its end; how it ended, without success."""
    first = await seat.reset(task, seed=task.seed)
    turns: list[DemonstratedTurn] = []
    end: Status | None = None
    while end is None:
        turn, end = await seat.demonstrate(seed=seed, mistake=chance.random() < mistakes)
        turns.append(turn)
    outcome = await seat.outcome()
    if not outcome.success:
        return end
    return Demonstration(
        task_id=task.id, system_prompt=seat.system_prompt, first=first, turns=tuple(turns)
    )

"""What seats cost, and what faults cost: `python -m tests.benchmarks.pool [--json]`.

The inline rows compare a seat with bare Gymnasium calls of the same environment. The fault rows
hang and end workers; a deadline's overshoot is the time from the deadline to the error.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import cycle, islice

import psutil

from agentgym.env import make
from agentgym.envs.toys.box import Box
from agentgym.envs.toys.corridor import Corridor
from agentgym.errors import AgentGymError
from agentgym.pool import InlinePool, Pool, ProcessPool
from agentgym.types import Task
from agentgym.worker import Deadlines

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

NUM_STEPS, NUM_CALLS, NUM_FAULTS = 20_000, 2_000, 20
STEP_DEADLINE_S = 0.2
WALK = ("east", "west", "nonsense")
TASK: Task = Box.panel("gen1/train").tasks[0]


def bare_steps_per_second() -> float:
    """Gymnasium alone: no seat, no checks, no record of what was parsed."""
    env = make("agentgym/Corridor-v0", max_episode_steps=NUM_STEPS + 1)
    env.reset(options={"task": Corridor.panel("gen1/train").tasks[0]})
    began = time.perf_counter()
    for action in islice(cycle(WALK), NUM_STEPS):
        env.step(action)
    return NUM_STEPS / (time.perf_counter() - began)


async def seat_steps_per_second(pool: Pool, num_steps: int) -> float:
    """Steps through one seat."""
    async with pool, pool.seat() as seat:
        await seat.reset(Corridor.panel("gen1/train").tasks[0], seed=0)
        began = time.perf_counter()
        for action in islice(cycle(WALK), num_steps):
            await seat.step(action)
        return num_steps / (time.perf_counter() - began)


def box_pool() -> ProcessPool:
    """A pool for one fault: of several in a row it keeps the task from others, and waits."""
    deadlines = Deadlines(step_s=STEP_DEADLINE_S)
    return ProcessPool("agentgym/Box-v0", num_workers=1, deadlines=deadlines)


async def fault_ms(action: str) -> float:
    """From the action to the error that ends the episode."""
    async with box_pool() as pool, pool.seat() as seat:
        await seat.reset(TASK, seed=0)
        began = time.perf_counter()
        try:
            await seat.step(action)
        except AgentGymError:
            return 1000 * (time.perf_counter() - began)
    raise AssertionError(f"'{action}' did no harm")


async def first_answer_ms() -> float:
    """A new worker, up to its first observation."""
    began = time.perf_counter()
    async with box_pool() as pool, pool.seat() as seat:
        await seat.reset(TASK, seed=0)
        return 1000 * (time.perf_counter() - began)


def children() -> list[int]:
    """The processes below this one."""
    return [child.pid for child in psutil.Process().children(recursive=True)]


def p95(values: list[float]) -> float:
    """The value that 95 % do not exceed."""
    return sorted(values)[int(0.95 * (len(values) - 1) + 0.5)]


async def measure_faults() -> list[Row]:
    """Hangs, crashes and starts, one after the other; then what they left."""
    fds = psutil.Process().num_fds()
    hangs = [await fault_ms("hang") for _ in range(NUM_FAULTS)]
    crashes = [await fault_ms("crash") for _ in range(NUM_FAULTS)]
    boots = [await first_answer_ms() for _ in range(NUM_FAULTS)]
    overshoot = p95([hang - 1000 * STEP_DEADLINE_S for hang in hangs])
    left = len(children())
    open_fds = max(0, psutil.Process().num_fds() - fds - 3)  # 3: the running event loop's own
    return [
        Row(what="deadline overshoot, p95", value=overshoot, unit="ms", bar=250, better="lower"),
        Row(
            what="death noticed after, p95", value=p95(crashes), unit="ms", bar=250, better="lower"
        ),
        Row(what="new worker's first answer, p95", value=p95(boots), unit="ms"),
        Row(what="processes left", value=left, unit="", bar=0, better="lower"),
        Row(what="file descriptors left", value=open_fds, unit="", bar=0, better="lower"),
    ]


def measure() -> Iterator[Row]:
    """The rows of this benchmark."""
    env_id, long = "agentgym/Corridor-v0", NUM_STEPS + 1
    bare = max(bare_steps_per_second() for _ in range(3))
    seats = [
        asyncio.run(seat_steps_per_second(InlinePool(env_id, max_turns=long), NUM_STEPS))
        for _ in range(3)
    ]
    process = ProcessPool(env_id, num_workers=1, max_turns=long)
    calls = asyncio.run(seat_steps_per_second(process, NUM_CALLS))
    yield Row(what="bare Gymnasium", value=bare, unit="steps/s")
    yield Row(what="inline seat", value=max(seats), unit="steps/s")
    cost = 1e6 * (1 / max(seats) - 1 / bare)
    yield Row(what="inline seat's own cost", value=cost, unit="us/step", bar=25, better="lower")
    yield Row(what="process seat", value=calls, unit="steps/s")
    yield from asyncio.run(measure_faults())


if __name__ == "__main__":
    main("pool", measure)

"""The process pool: what goes wrong costs its own episode, in bounded time, and leaves nothing."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVarTuple

import psutil
import pytest
from faulty_env import BIG, task
from processes import of_workers, wait_gone
from pydantic import ValidationError

from agentgym.envs.toys.box import Box
from agentgym.errors import (
    AgentGymError,
    DeadlineError,
    EnvError,
    ScoreError,
    UsageError,
    WorkerError,
)
from agentgym.pool import ProcessPool, Seat
from agentgym.types import Observation, Outcome, Task
from agentgym.worker import Deadlines

FAULTY = "faulty_env:FaultyEnv"
FINE = task("", "")
DEADLINES = Deadlines(boot_s=60, reset_s=1, step_s=1, outcome_s=1, close_s=1)
PHASES = ("reset", "step", "outcome", "close")
Ts = TypeVarTuple("Ts")


async def visit(pool: ProcessPool, chosen: Task, *actions: str) -> list[Any]:
    """Every answer of one episode after which the seat is closed."""
    async with pool.seat() as seat:
        first = await seat.reset(chosen, seed=0)
        replies = [await seat.step(action) for action in actions]
        outcome = await seat.outcome()
        await seat.close()
        return [first, *replies, outcome]


async def worker_pid(seat: Seat) -> int:
    """The process that a seat's environment lives in."""
    return int((await seat.reset(FINE, seed=0)).text.removeprefix("pid "))


FAULTS: dict[str, tuple[type[AgentGymError], str]] = {
    "sleep": (DeadlineError, "took longer than 1 s"),
    "spin": (DeadlineError, "took longer than 1 s"),
    "exit process": (WorkerError, "exit code 3"),
    "kill process": (WorkerError, "exit code -9"),
    "raise big": (EnvError, "RuntimeError: xxx"),
    "raise unprintable": (EnvError, "Unprintable: .its text raised RuntimeError"),
    "raise unpicklable": (EnvError, "Unpicklable: odd"),
    "raise SystemExit": (EnvError, "SystemExit: 5"),
    "raise KeyboardInterrupt": (EnvError, "KeyboardInterrupt"),
    "wrong type": (EnvError, "not int"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_costs_its_own_episode(fault: str) -> None:
    """The fault in every phase at once, beside a sound episode, and a sound one afterwards."""
    phases = [phase for phase in PHASES if (fault, phase) != ("wrong type", "close")]
    before = of_workers()

    async def run() -> tuple[list[Any], list[Any], float]:
        async with ProcessPool(FAULTY, num_workers=5, deadlines=DEADLINES) as pool:
            visits = [visit(pool, task(phase, fault), "a") for phase in phases]
            began = time.monotonic()
            found = await asyncio.gather(*visits, visit(pool, FINE, "a"), return_exceptions=True)
            seconds = time.monotonic() - began
            return found, await visit(pool, FINE, "a"), seconds

    (*errors, sibling), successor, seconds = asyncio.run(run())
    expected, said = FAULTS[fault]
    for phase, error in zip(phases, errors, strict=True):
        with pytest.raises(AgentGymError, match=said) as caught:
            raise error
        is_ungraded = expected is EnvError and phase == "outcome"
        assert type(caught.value) is (ScoreError if is_ungraded else expected)
        assert phase in str(caught.value)
        assert len(str(caught.value)) < 2100
    assert sibling[1:] == successor[1:]
    assert sibling[-1] == Outcome(score=0.25, success=False)
    assert seconds < 20  # a boot and a deadline; without deadlines the sleep is 11 days long
    assert of_workers() == before


@pytest.mark.parametrize(
    ("name", "expected", "said"),
    [
        ("SleepsAtBoot", DeadlineError, "boot took longer than 2 s"),
        ("ExitsAtBoot", WorkerError, "died in boot with exit code 3"),
        ("RaisesAtBoot", EnvError, "boot: RuntimeError: xxx"),
    ],
)
def test_an_environment_that_cannot_be_made_is_an_error_of_boot(
    name: str, expected: type[AgentGymError], said: str
) -> None:
    before = of_workers()
    deadlines = Deadlines(boot_s=2 if name == "SleepsAtBoot" else 60)

    async def boot() -> None:
        async with ProcessPool(f"faulty_env:{name}", num_workers=1, deadlines=deadlines) as pool:
            await visit(pool, FINE)

    with pytest.raises(expected, match=said):
        asyncio.run(boot())
    assert of_workers() == before


@contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """This process may open so many more files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(count):
            os.close(taken.pop())
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class NotingLoop(asyncio.SelectorEventLoop):
    """An event loop that notes for how long its coroutines sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def call_later(
        self, delay: float, callback: Callable[[*Ts], Any], *args: *Ts, context: Any = None
    ) -> asyncio.TimerHandle:
        """Note it, and do it."""
        self.slept.append(delay)
        return super().call_later(delay, callback, *args, context=context)


@pytest.mark.parametrize("left", [0, 2, 3])
def test_a_worker_that_cannot_be_started_is_an_error_of_ours_and_holds_nothing(left: int) -> None:
    """Its channel takes two descriptors, its process more; it counts among those that were lost."""

    async def run() -> tuple[list[Any], int, int, list[Any]]:
        async with ProcessPool(FAULTY, num_workers=1, deadlines=DEADLINES) as pool:
            before = len(os.listdir("/proc/self/fd"))
            failed: list[Any] = []
            with descriptors_left(left):
                for _ in range(3):
                    failed += await asyncio.gather(visit(pool, FINE), return_exceptions=True)
            after = len(os.listdir("/proc/self/fd"))
            return failed, before, after, await visit(pool, FINE, "a")

    loop = NotingLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        failed, before, after, replies = runner.run(run())
    for error in failed:
        with pytest.raises(WorkerError, match="cannot start a worker process: OSError: .*Too many"):
            raise error
    assert after == before
    assert loop.slept == [0.05, 0.1, 0.2]
    assert replies[-1] == Outcome(score=0.25, success=False)


def test_a_task_that_ended_three_workers_gets_no_other() -> None:
    """One more episode of it ends at once, without a worker; another task is played on."""
    deadly, deadlines = task("step", "kill process"), Deadlines()

    async def run() -> list[Any]:
        async with ProcessPool(FAULTY, num_workers=1, deadlines=deadlines) as pool:
            ends = [await asyncio.gather(visit(pool, deadly, "a"), return_exceptions=True)]
            assert await visit(pool, FINE, "a")  # losses are counted by task, not in a row
            for _ in range(3):
                ends.append(await asyncio.gather(visit(pool, deadly, "a"), return_exceptions=True))
            async with pool.seat() as seat:
                before = await worker_pid(seat)
                with pytest.raises(WorkerError, match="in quarantine"):
                    await seat.reset(deadly, seed=0)
                assert await worker_pid(seat) == before
            return [str(end) for (end,) in ends]

    died = "the worker died in step with exit code -9"
    assert asyncio.run(run()) == [
        died, died, died, f"task '{deadly.id}' is in quarantine: it ended 3 workers",
    ]  # fmt: skip


def test_waiting_for_a_worker_leaves_the_loop_free() -> None:
    async def run() -> int:
        ticks = 0
        async with ProcessPool(FAULTY, num_workers=1, deadlines=DEADLINES) as pool:
            async with pool.seat() as seat:
                await seat.reset(FINE, seed=0)
                step = asyncio.create_task(seat.step("sleep 0.5"))
                while not step.done():
                    await asyncio.sleep(0.01)
                    ticks += 1
                await step
        return ticks

    assert asyncio.run(run()) > 10  # 50 on an idle machine, 1 if the step blocked the loop


def test_a_deadline_ends_the_whole_process_group() -> None:
    async def run() -> int:
        async with ProcessPool(FAULTY, num_workers=1, deadlines=DEADLINES) as pool:
            async with pool.seat() as seat:
                await seat.reset(FINE, seed=0)
                grandchild = int((await seat.step("spawn")).observation.text)
                assert psutil.pid_exists(grandchild)
                with pytest.raises(DeadlineError, match="step took longer"):
                    await seat.step("sleep 1000")
        return grandchild

    assert wait_gone([asyncio.run(run())]) == []


def test_closing_the_pool_ends_idle_workers_and_their_children() -> None:
    before = of_workers()

    async def run() -> None:
        async with ProcessPool(FAULTY, num_workers=2, deadlines=DEADLINES) as pool:
            async with pool.seat() as one, pool.seat() as two:
                for seat in (one, two):
                    await seat.reset(FINE, seed=0)
                    await seat.step("spawn")
            assert len(of_workers() - before) == 4

    asyncio.run(run())
    assert wait_gone(of_workers() - before) == []


def test_a_call_cut_short_by_its_caller_ends_the_worker() -> None:
    async def run() -> tuple[int, int]:
        async with ProcessPool(FAULTY, num_workers=1, deadlines=DEADLINES) as pool:
            async with pool.seat() as seat:
                first = await worker_pid(seat)
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(seat.step("sleep 0.9"), timeout=0.1)
            async with pool.seat() as seat:
                return first, await worker_pid(seat)

    first, second = asyncio.run(run())
    assert first != second
    assert wait_gone([first]) == []


def test_a_worker_whose_environment_failed_is_not_used_again() -> None:
    """Not even when a later call of the same episode succeeds."""

    async def run() -> tuple[int, int]:
        async with ProcessPool(FAULTY, num_workers=1, deadlines=DEADLINES) as pool:
            async with pool.seat() as seat:
                first = await worker_pid(seat)
                await seat.reset(task("step", "raise big"), seed=0)
                with pytest.raises(EnvError, match="step: RuntimeError"):
                    await seat.step("go")
                await seat.outcome()
            async with pool.seat() as seat:
                return first, await worker_pid(seat)

    first, second = asyncio.run(run())
    assert first != second


def test_a_worker_that_dies_idle_costs_no_episode() -> None:
    async def run() -> tuple[int, int]:
        async with ProcessPool(FAULTY, num_workers=1, deadlines=DEADLINES) as pool:
            async with pool.seat() as seat:
                first = await worker_pid(seat)
            os.kill(first, signal.SIGKILL)
            os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)  # until all its threads are dead
            async with pool.seat() as seat:
                return first, await worker_pid(seat)

    first, second = asyncio.run(run())
    assert first != second


def test_episodes_wait_for_a_free_worker_and_workers_are_reused() -> None:
    async def run() -> list[str]:
        async with ProcessPool(FAULTY, num_workers=2, deadlines=DEADLINES) as pool:

            async def episode() -> str:
                async with pool.seat() as seat:
                    first = await seat.reset(FINE, seed=0)
                    await seat.step("sleep 0.02")
                    return first.text

            return await asyncio.gather(*(episode() for _ in range(9)))

    assert len(set(asyncio.run(run()))) == 2


def test_workers_outlive_an_event_loop() -> None:
    """A trainer runs one loop per train step; three episodes for two workers, so that one waits."""
    pool = ProcessPool(FAULTY, num_workers=2, deadlines=DEADLINES)

    async def step() -> set[int]:
        async def pid() -> int:
            async with pool.seat() as seat:
                found = await worker_pid(seat)
                await seat.step("sleep 0.02")
                return found

        return set(await asyncio.gather(pid(), pid(), pid()))

    first, second = asyncio.run(step()), asyncio.run(step())
    assert asyncio.run(pool.close()) == ()
    assert first == second
    assert len(first) == 2


def test_a_seat_given_back_to_a_closed_pool_ends() -> None:
    before = of_workers()

    async def run() -> None:
        pool = ProcessPool(FAULTY, num_workers=1, deadlines=DEADLINES)
        async with pool.seat() as seat:
            await seat.reset(FINE, seed=0)
            await pool.close()

    asyncio.run(run())
    assert of_workers() == before


def test_errors_of_closing_are_given_back_and_end_the_worker() -> None:
    before = of_workers()

    async def run() -> tuple[AgentGymError, ...]:
        pool = ProcessPool(FAULTY, num_workers=1, deadlines=DEADLINES)
        async with pool.seat() as seat:
            await seat.reset(task("close", "sleep"), seed=0)
        return await pool.close()

    (error,) = asyncio.run(run())
    assert isinstance(error, DeadlineError)
    assert str(error) == "close took longer than 1 s"
    assert of_workers() == before


def test_workers_agree_on_the_order_of_a_set() -> None:
    async def run() -> list[str]:
        async with ProcessPool(FAULTY, num_workers=2, deadlines=DEADLINES) as pool:
            async with pool.seat() as one, pool.seat() as two:
                orders = []
                for seat in (one, two):
                    await seat.reset(FINE, seed=0)
                    orders.append((await seat.step("order")).observation.text)
                return orders

    one, two = asyncio.run(run())
    assert one == two


def test_output_and_large_answers_do_not_disturb_the_channel() -> None:
    async def run() -> list[str]:
        async with ProcessPool(FAULTY, num_workers=1, deadlines=Deadlines()) as pool:
            _, *replies, _ = await visit(pool, FINE, "print", "big", "say " + BIG, "\ud800")
            return [reply.observation.text for reply in replies]

    assert asyncio.run(run()) == ["print", BIG, "say " + BIG, "\ud800"]


def test_an_observation_travels_whole() -> None:
    async def run() -> list[Any]:
        chosen = Box.panel("gen1/train").tasks[0]
        async with ProcessPool("agentgym/Box-v0", num_workers=1) as pool:
            return await visit(pool, chosen, "run cat note", "submit plum")

    first, reply, _, outcome = asyncio.run(run())
    assert isinstance(first, Observation)
    assert first.image is not None
    assert reply.observation.text == "The word is plum."
    assert outcome == Outcome(score=1.0, success=True)


def test_at_least_one_worker_and_positive_deadlines() -> None:
    with pytest.raises(UsageError, match="num_workers must be at least 1, not 0"):
        ProcessPool(FAULTY, num_workers=0)
    with pytest.raises(ValidationError, match="greater than 0"):
        Deadlines(step_s=0)
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Deadlines.model_validate({"stop_s": 1})

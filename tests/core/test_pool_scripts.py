"""The process pool and the program around it: scripts, local classes, killed parents."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import gymnasium
import pytest
from processes import wait_gone

from agentgym.env import TurnEnv, register
from agentgym.errors import UsageError
from agentgym.pool import ProcessPool

MAIN = """
import asyncio
from agentgym import Observation, Outcome, Task, TurnEnv, UsageError
from agentgym.pool import InlinePool, ProcessPool

class Mine(TurnEnv):
    def reset(self, *, seed=None, options=None):
        return Observation(text="here"), {}

async def first(pool):
    async with pool, pool.seat() as seat:
        print((await seat.reset(Task(id="a", split="b", seed=0), seed=0)).text)

asyncio.run(first(InlinePool("__main__:Mine")))
try:
    ProcessPool("__main__:Mine", num_workers=1)
except UsageError as error:
    print(error)
"""


def test_a_class_of_a_script_works_inline_and_is_refused_by_the_process_pool() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MAIN], capture_output=True, text=True, check=True, timeout=60
    )
    here, refusal = done.stdout.splitlines()
    assert here == "here"
    assert "__main__.Mine, which a worker process cannot import" in refusal
    assert "use the inline pool" in refusal


ORPHANS = """
import asyncio, sys
sys.path.append(sys.argv[1])
from faulty_env import task
from agentgym.pool import ProcessPool

async def busy(pool, fault):
    async with pool.seat() as seat:
        print((await seat.reset(task("step", fault), seed=0)).text, flush=True)
        await seat.step("go")

async def main():
    pool = ProcessPool("faulty_env:FaultyEnv", num_workers=3)
    async with pool.seat() as idle:
        print((await idle.reset(task("", ""), seed=0)).text, flush=True)
        await asyncio.gather(busy(pool, "sleep"), busy(pool, "spin"))

asyncio.run(main())
"""


def test_workers_end_with_a_killed_parent_whatever_they_do() -> None:
    """One idle, one asleep, one inside a C call that holds the interpreter."""
    tests = str(Path(__file__).parent.parent)
    with subprocess.Popen(
        [sys.executable, "-c", ORPHANS, tests], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(parent.stdout.readline().removeprefix("pid ")) for _ in range(3)]
        time.sleep(0.2)  # let both steps begin
        parent.kill()
    assert wait_gone(pids) == []


def test_a_local_class_is_refused_by_the_process_pool() -> None:
    class Local(TurnEnv):
        """Cannot be imported."""

    register("test/Local-v0", Local, max_turns=3)
    try:
        with pytest.raises(UsageError, match="which a worker process cannot import"):
            ProcessPool("test/Local-v0", num_workers=1)
    finally:
        del gymnasium.registry["test/Local-v0"]

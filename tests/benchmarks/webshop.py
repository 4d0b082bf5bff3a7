"""How fast WebShop runs on one core: `python -m tests.benchmarks.webshop [--json]`.

Visits of gen1/train through the environment's own `reset` and `step`: searches for what the
instruction says, and random clicks otherwise. Every shop is opened in a process of its own with an
empty cache folder, then in another one that finds the index there; their times are processor time,
imports included.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from agentgym.envs.webshop.env import WebShop
from agentgym.types import Task

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

NUM_VISITS, MOST_TURNS, NUM_ROUNDS = 200, 15, 5
"""Visits a round, of tasks that no other round has; the best of the rounds counts, as other load
only slows."""
SEARCH_SHARE = 0.15
"""How often a visitor searches again."""


def walk(env: WebShop, task: Task, generator: random.Random) -> int:
    """One visit; how many steps it took."""
    observation, _ = env.reset(options={"task": task})
    words = str(task.public["instruction"]).partition(",")[0]
    for turn in range(1, MOST_TURNS + 1):
        if not observation.choices or generator.random() < SEARCH_SHARE:
            action = f"search[{words}]"
        else:
            action = generator.choice(observation.choices)
        observation, _, terminated, _, _ = env.step(action)
        if terminated:
            return turn
    return MOST_TURNS


def time_steps(env: WebShop, tasks: tuple[Task, ...]) -> float:
    """Steps per second, resets included."""
    generator = random.Random(0)
    began = time.process_time()
    steps = sum(walk(env, task, generator) for task in tasks)
    return steps / (time.process_time() - began)


def open_and_walk(size: str) -> None:
    """In a process of its own: print what opening the shop took, and what steps take."""
    env, tasks = WebShop(shop=size), WebShop.panel("gen1/train").tasks
    env.reset(options={"task": tasks[0]})
    seconds = time.process_time()
    # New searches each time: the shop remembers what it found.
    starts = range(0, NUM_ROUNDS * NUM_VISITS, NUM_VISITS)
    steps = max(time_steps(env, tasks[start : start + NUM_VISITS]) for start in starts)
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # kilobytes on Linux
    print(json.dumps({"seconds": seconds, "steps": steps, "gigabytes": gigabytes}))


def run(size: str, cache: str) -> dict[str, float]:
    """What such a process prints."""
    program = f"from tests.benchmarks.webshop import open_and_walk; open_and_walk('{size}')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"AGENTGYM_CACHE": cache},
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, float] = json.loads(done.stdout)
    return told


def measure() -> Iterator[Row]:
    """The rows of this benchmark."""
    with tempfile.TemporaryDirectory() as cache:
        cold, warm = {}, {}
        for size in ("small", "medium", "large"):
            cold[size], warm[size] = run(size, cache), run(size, cache)
    yield Row(what="steps/s 1k products", value=warm["small"]["steps"], unit="steps/s", bar=3000)
    yield Row(what="steps/s 10k products", value=warm["medium"]["steps"], unit="steps/s")
    yield Row(what="steps/s 100k products", value=warm["large"]["steps"], unit="steps/s", bar=1000)
    for size, bars in (("small", (None, None)), ("medium", (15, 2)), ("large", (None, None))):
        for name, told, bar in zip(("cold", "warm"), (cold, warm), bars, strict=True):
            what = f"start of the {size} shop, {name}"
            yield Row(what=what, value=told[size]["seconds"], unit="s", bar=bar, better="lower")
    memory = max(cold["large"]["gigabytes"], warm["large"]["gigabytes"])
    yield Row(what="memory 100k products", value=memory, unit="GB", bar=1.5, better="lower")


if __name__ == "__main__":
    main("webshop", measure)

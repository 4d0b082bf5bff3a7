"""How fast ALFWorld runs on one core: `python -m tests.benchmarks.alfworld [--json]`.

Games of gen1/train, random admissible commands; a step computes the admissible commands and
makes the observation, through the environment's own `reset` and `step`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from agentgym.envs.alfworld.env import ALFWorld
from agentgym.types import Task

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

NUM_GAMES, NUM_STEPS, NUM_ROUNDS = 100, 50, 5
"""Games a round, steps a game; the best of the rounds counts, as other load only slows."""


def time_resets(env: ALFWorld, tasks: tuple[Task, ...]) -> float:
    """Resets per second."""
    began = time.perf_counter()
    for task in tasks:
        env.reset(options={"task": task})
    return len(tasks) / (time.perf_counter() - began)


def time_steps(env: ALFWorld, tasks: tuple[Task, ...]) -> float:
    """Steps per second, resets not counted."""
    generator = random.Random(0)
    seconds = 0.0
    for task in tasks:
        observation, _ = env.reset(options={"task": task})
        began = time.perf_counter()
        for _ in range(NUM_STEPS):
            assert observation.choices is not None
            observation = env.step(generator.choice(observation.choices))[0]
        seconds += time.perf_counter() - began
    return len(tasks) * NUM_STEPS / seconds


def measure() -> Iterator[Row]:
    """The rows of this benchmark."""
    env, tasks = ALFWorld(), ALFWorld.panel("gen1/train").tasks[:NUM_GAMES]
    steps = max(time_steps(env, tasks) for _ in range(NUM_ROUNDS))
    resets = max(time_resets(env, tasks) for _ in range(NUM_ROUNDS))
    yield Row(what="native steps/s", value=steps, unit="steps/s", bar=5000)
    yield Row(what="native resets/s", value=resets, unit="resets/s", bar=500)


if __name__ == "__main__":
    main("alfworld", measure)

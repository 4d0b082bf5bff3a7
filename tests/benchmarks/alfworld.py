"""How fast ALFWorld runs on one core: `python -m tests.benchmarks.alfworld [--json]`.

Games of gen1/train, random admissible commands; a step computes the admissible commands and
makes the observation, through the environment's own `reset` and `step`. Where the extra `alfworld`
is installed, the original engine plays some of the games too, engine against engine.
"""

from __future__ import annotations

import importlib.util
import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from agentgym.envs.alfworld.engine import Game, NativeGame
from agentgym.envs.alfworld.env import ALFWorld
from agentgym.envs.alfworld.house import Goal, House
from agentgym.envs.alfworld.pddl import write_game
from agentgym.envs.alfworld.textworld import TextWorldEngine, TextWorldGame, quicken_engine
from agentgym.types import Task

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

NUM_GAMES, NUM_STEPS, NUM_ROUNDS = 100, 50, 5
"""Games a round, steps a game; the best of the rounds counts, as other load only slows."""

NUM_REAL_GAMES, NUM_REAL_STEPS = 6, 20
"""One game of each task type; the original engine takes a second to start one."""

Start = Callable[[House, Goal], Game]
"""Begins a game in some engine."""


def time_resets(env: ALFWorld, tasks: tuple[Task, ...]) -> float:
    """Resets per second."""
    began = time.perf_counter()
    for task in tasks:
        env.reset(options={"task": task})
    return len(tasks) / (time.perf_counter() - began)


def time_steps(env: ALFWorld, tasks: tuple[Task, ...]) -> float:
    """Steps per second, the reset before them not counted."""
    generator = random.Random(0)
    seconds = 0.0
    for task in tasks:
        observation, _ = env.reset(options={"task": task})
        began = time.perf_counter()
        for _ in range(NUM_STEPS):
            assert observation.choices is not None
            observation, _, terminated, _, _ = env.step(generator.choice(observation.choices))
            if terminated:  # rare: the reset is counted as part of the step
                observation, _ = env.reset(options={"task": task})
        seconds += time.perf_counter() - began
    return len(tasks) * NUM_STEPS / seconds


def time_games(start: Start, tasks: tuple[Task, ...]) -> float:
    """Steps per second of an engine alone, with the same commands for every engine."""
    generator = random.Random(0)
    seconds = 0.0
    for task in tasks:
        public: Any = task.public
        game = start(House.from_json(public["house"]), Goal.from_json(public["goal"]))
        began = time.perf_counter()
        for _ in range(NUM_REAL_STEPS):
            game.step(generator.choice(game.admissible))
        seconds += time.perf_counter() - began
    return len(tasks) * NUM_REAL_STEPS / seconds


def measure_original(tasks: tuple[Task, ...]) -> Iterator[Row]:
    """How many steps of ours go into one of the original engine's."""
    engine = TextWorldEngine()

    def start(house: House, goal: Goal) -> Game:
        return TextWorldGame(engine, write_game(house, goal))

    native = max(time_games(NativeGame, tasks) for _ in range(NUM_ROUNDS))
    as_installed = time_games(start, tasks)
    quicken_engine()
    quickened = time_games(start, tasks)
    yield Row(what="real steps/s, as installed", value=as_installed, unit="steps/s")
    yield Row(what="real steps/s, quickened", value=quickened, unit="steps/s")
    yield Row(what="ratio native/real steps, as installed", value=native / as_installed, unit="x")
    yield Row(what="ratio native/real steps, quickened", value=native / quickened, unit="x")


def measure() -> Iterator[Row]:
    """The rows of this benchmark."""
    env, tasks = ALFWorld(), ALFWorld.panel("gen1/train").tasks[:NUM_GAMES]
    steps = max(time_steps(env, tasks) for _ in range(NUM_ROUNDS))
    resets = max(time_resets(env, tasks) for _ in range(NUM_ROUNDS))
    yield Row(what="native steps/s", value=steps, unit="steps/s", bar=5000)
    yield Row(what="native resets/s", value=resets, unit="resets/s", bar=500)
    if importlib.util.find_spec("textworld") is None:
        print("no rows for the original engine: the extra alfworld is missing", file=sys.stderr)
    else:
        yield from measure_original(tasks[:NUM_REAL_GAMES])


if __name__ == "__main__":
    main("alfworld", measure)

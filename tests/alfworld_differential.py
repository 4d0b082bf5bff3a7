"""Plays our ALFWorld engine and the original one side by side and compares all that they say.

    python tests/alfworld_differential.py --games 200 --commands 40 [--json]

needs the extra `alfworld`. After every command text, admissible commands, score and `won` must be
equal, in order. Half of the games follow an expert with random detours, and play on after winning;
the other half mix random commands, possible and impossible, with short scenes that aim at a cell
of the coverage table.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from alfworld_cells import CELLS, JOINTS, classify
from alfworld_scenes import Director

from agentgym.envs.alfworld.engine import NativeGame
from agentgym.envs.alfworld.experts import Planner
from agentgym.envs.alfworld.house import Goal, House
from agentgym.envs.alfworld.pddl import write_game
from agentgym.envs.alfworld.tasks import make_task
from agentgym.envs.alfworld.textworld import TextWorldEngine, TextWorldGame, quicken_engine
from agentgym.types import Task

ENOUGH = 20
"""How often a full run must hit each cell of the table."""

NONSENSE = (
    "",
    "dance",
    "GO TO CABINET 1",
    "take",
    "open sesame",
    "go to",
    "look around",
    "examine",
)


@dataclass(kw_only=True)
class Comparison:
    """What a run found."""

    games: int = 0
    commands: int = 0
    mismatches: list[str] = field(default_factory=list)
    """One text for each game whose engines disagreed; such a game ends there."""
    coverage: Counter[str] = field(default_factory=Counter)
    """Cell -> how often it was hit."""

    @property
    def thin(self) -> list[str]:
        """The cells hit less than `ENOUGH` times."""
        return [cell for cell in CELLS if self.coverage[cell] < ENOUGH]


class Walk:
    """One game in both engines, and who chooses its commands."""

    def __init__(self, task: Task, engine: TextWorldEngine, found: Comparison) -> None:
        public: Any = task.public
        house, goal = House.from_json(public["house"]), Goal.from_json(public["goal"])
        self._ours = NativeGame(house, goal)
        self._theirs = TextWorldGame(engine, write_game(house, goal))
        self._planner = Planner(self._ours)
        self._random = random.Random(task.id)
        self._director = Director(self._ours.world, self._random)
        self._items = [item.name for item in house.items]
        self._found = found
        self._task = task

    def play(self, commands: int, *, expert: bool) -> None:
        """Play up to so many commands; stops at a mismatch."""
        self._found.games += 1
        if not self._agree("(start)", self._ours.intro, self._theirs.intro):
            return
        chooser = self._follow_expert() if expert else self._roam()
        for _ in range(commands):
            if not self._compare(next(chooser)):
                return

    def _compare(self, command: str) -> bool:
        cell, works = classify(self._ours.world, command)
        assert works == (command in self._ours.admissible), f"the table errs: {command}, {cell}"
        was_won = self._ours.won
        ours, theirs = self._ours.step(command), self._theirs.step(command)
        self._found.commands += 1
        self._found.coverage[cell] += 1
        if self._ours.won != was_won:
            self._found.coverage["won no more" if was_won else "won"] += 1
        return self._agree(command, ours, theirs)

    def _agree(self, command: str, ours: str, theirs: str) -> bool:
        native, real = self._ours, self._theirs
        ours_all = (ours, native.admissible, int(native.won), native.won)
        theirs_all = (theirs, real.admissible, real.score, real.won)
        if ours_all == theirs_all:
            return True
        self._found.mismatches.append(
            f"{self._task.id}: {command!r}\n  ours:   {ours!r} won={native.won}\n"
            f"  theirs: {theirs!r} won={real.won} score={real.score}\n"
            f"  admissible in ours only: {sorted({*native.admissible} - {*real.admissible})}\n"
            f"  in theirs only: {sorted({*real.admissible} - {*native.admissible})}"
        )
        return False

    def _follow_expert(self) -> Iterator[str]:
        while True:
            draw = self._random.random()
            if draw < 0.1:
                yield self._random.choice(self._ours.admissible)
            elif draw < 0.3:
                yield self._probe()
            elif draw < 0.35 or self._ours.won:
                yield from self._stage()
            else:
                yield self._planner.act()

    def _roam(self) -> Iterator[str]:
        yield "look"  # nobody comes back to the middle of the room
        while True:
            draw = self._random.random()
            if draw < 0.1:
                yield self._random.choice(self._ours.admissible)
            elif draw < 0.2:
                yield self._invent()
            elif draw < 0.5:
                yield self._probe()
            else:
                yield from self._stage()

    def _probe(self) -> str:
        """The command, of all with names that exist, whose cell was hit least so far."""
        world, items = self._ours.world, self._items
        places = list(world.contents)
        commands = [f"{verb} {thing}" for verb in ("examine", "use") for thing in items]
        commands += [f"{verb} {place}" for verb in ("examine", "open", "close") for place in places]
        commands += [f"go to {place}" for place in places]
        for verb, joint in JOINTS.items():
            others = items if verb == "slice" else places
            commands += [f"{verb} {one} {joint} {two}" for one in items for two in others]
        self._random.shuffle(commands)
        coverage = {"several": sys.maxsize, **self._found.coverage}
        return min(commands, key=lambda command: coverage.get(classify(world, command)[0], 0))

    def _invent(self) -> str:
        """A command that need not make sense."""
        names = [*self._items, *self._ours.world.contents]
        one, two = self._random.choice(names), self._random.choice(names)
        admissible = self._random.choice(self._ours.admissible)
        patterns = ("take {} from {}", "move {} to {}", "slice {} with {}", "put {} in/on {}")
        return self._random.choice(
            (
                self._random.choice(NONSENSE),
                self._random.choice(patterns).format(one, two),
                f"{self._random.choice(('open', 'close', 'use', 'examine', 'go to'))} {one}",
                admissible.upper(),
                admissible + " now",
                admissible.replace(" ", "  ", 1),
            )
        )

    def _stage(self) -> Iterator[str]:
        """A scene that ends in one of the cells hit least so far, if the house allows it."""
        cells = [cell for cell in CELLS if ": " in cell]
        cells.sort(key=lambda cell: (self._found.coverage[cell], self._random.random()))
        cell = cells[int(self._random.triangular(0, 1, 0) ** 2 * len(cells))]
        try:
            yield from self._director.play(cell)
        except IndexError:
            pass


def compare(*, games: int, commands: int) -> Comparison:
    """Play that many games, every other one with an expert, and report."""
    quicken_engine()
    engine, found = TextWorldEngine(), Comparison()
    for number in range(games):
        expert = number % 2 == 0
        split = "gen1/train" if expert else "gen1/unseen"
        Walk(make_task(split, number // 2), engine, found).play(commands, expert=expert)
    return found


def main() -> int:
    """The command line; exit code 1 where the engines differ or a full run left a cell thin."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--games", type=int, default=200)
    parser.add_argument("--commands", type=int, default=40)
    parser.add_argument("--json", action="store_true", help="one line of JSON at the end")
    arguments = parser.parse_args()
    began = time.perf_counter()
    found = compare(games=arguments.games, commands=arguments.commands)
    for cell in CELLS:
        print(f"{found.coverage[cell]:6d}  {cell}")
    print(*found.mismatches, sep="\n")
    print(
        f"{found.games} games, {found.commands} commands, {len(found.mismatches)} mismatches, "
        f"{len(found.thin)} of {len(CELLS)} cells hit less than {ENOUGH} times, "
        f"{time.perf_counter() - began:.0f} s"
    )
    full = arguments.games >= 200 and arguments.commands >= 40
    ok = not found.mismatches and not (full and found.thin)
    if arguments.json:
        print(
            json.dumps(
                {
                    "games": found.games,
                    "commands": found.commands,
                    "mismatches": found.mismatches,
                    "coverage": {cell: found.coverage[cell] for cell in CELLS},
                    "ok": ok,
                }
            )
        )
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())

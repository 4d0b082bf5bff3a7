"""Two players: the planner, who knows the whole house, and the explorer, who reads like an agent.

Both follow `find_command` on what they know: the engine's own world, or what was read so far.
"""

from __future__ import annotations

import random
import re

from agentgym.envs.alfworld.engine import NativeGame
from agentgym.envs.alfworld.kinds import LAMPS, OPENABLE, TREATMENTS, likelihood
from agentgym.envs.alfworld.policy import find_command
from agentgym.envs.alfworld.reading import read_answer, read_goal, read_room
from agentgym.envs.alfworld.world import kind_of
from agentgym.types import Observation


class Planner:
    """Plays a game of our own engine, seeing all of its state."""

    def __init__(self, game: NativeGame) -> None:
        self._game = game

    def act(self) -> str:
        """The next command, from whatever state the game is in, unless it is won."""
        command = find_command(self._game.world, self._game.goal)
        assert command is not None, "the house lacks what the goal asks for"
        return command


class Explorer:
    """Plays from the texts alone: it searches likely places first and remembers what it saw.

    It knows what households are like (`kinds.likelihood`), nothing of the one it is in.
    """

    def __init__(self, *, seed: int, off_order: float = 0.0, idle: float = 0.0) -> None:
        """Start without a game; `reset` begins one.

        Args:
            seed: of its own generator, which the two options and `mistake` draw from.
            off_order: how often a search goes to a random place instead of the likeliest.
            idle: how often a turn is spent on looking around instead.
        """
        self._random = random.Random(seed)
        self._off_order = off_order
        self._idle = idle

    def reset(self, first: Observation) -> None:
        """A new game begins.

        Raises:
            UsageError: the text states no task in the game's own words.
        """
        self._goal = read_goal(first.text)
        self._world = read_room(first.text)
        self._orders: dict[str, list[str]] = {}

    def observe(self, action: str, observation: Observation) -> None:
        """The answer to a command, whoever chose it."""
        read_answer(self._world, observation.text)

    def act(self) -> str:
        """The next command."""
        if self._idle and self._random.random() < self._idle:
            return self._dawdle()
        return find_command(self._world, self._goal) or self._search()

    def _search(self) -> str:
        """The next command in search of what is wanted now."""
        world = self._world
        here = world.here
        if here is not None and here not in world.contents and world.is_shut(here):
            return f"open {here}"
        wanted = self._goal.lamp if world.held is not None else self._goal.item
        if wanted not in self._orders:
            self._orders[wanted] = self._order_places(wanted)
        places = [place for place in self._orders[wanted] if place not in world.contents]
        if not places:
            return "look"
        if self._off_order and self._random.random() < self._off_order:
            return f"go to {self._random.choice(places)}"
        return f"go to {places[0]}"

    def _order_places(self, wanted: str) -> list[str]:
        """All receptacles, the best chance per turn first; opening one costs a second turn."""
        places = self._world.receptacles

        def chance_per_turn(place: str) -> float:
            kind = kind_of(place)
            if kind == self._goal.receptacle:
                return 0.0
            turns = 2 if kind in OPENABLE else 1
            return likelihood(wanted, kind) / turns

        return sorted(places, key=chance_per_turn, reverse=True)

    def _dawdle(self) -> str:
        here = self._world.here
        choices = ["look", "inventory", *([f"examine {here}"] if here else [])]
        return self._random.choice(choices)

    def mistake(self) -> str:
        """A command that someone who half understands might give now; mostly an impossible one."""
        right = find_command(self._world, self._goal) or self._search()
        slips = (
            lambda: self._misnumber(right),
            self._take_what_is_not_there,
            self._turn_the_wrong_handle,
            self._put_too_early,
            self._treat_too_early,
            self._wander,
        )
        while (command := self._random.choice(slips)()) == right:
            pass
        return command

    def _misnumber(self, right: str) -> str:
        """The right command with one number changed."""
        numbers = list(re.finditer(r"\d+", right))
        if not numbers:
            return self._wander()
        spot = self._random.choice(numbers)
        number = self._random.choice([n for n in (1, 2, 3, 4) if n != int(spot[0])])
        return f"{right[: spot.start()]}{number}{right[spot.end() :]}"

    def _take_what_is_not_there(self) -> str:
        place = self._world.here or self._random.choice(self._world.receptacles)
        return f"take {self._goal.item} {self._random.randint(1, 3)} from {place}"

    def _turn_the_wrong_handle(self) -> str:
        """Open what is open or has no door, close what is closed."""
        place = self._world.here or self._random.choice(self._world.receptacles)
        return f"{'close' if self._world.is_shut(place) else 'open'} {place}"

    def _put_too_early(self) -> str:
        item = self._world.held or f"{self._goal.item} {self._random.randint(1, 3)}"
        place = self._world.here or self._random.choice(self._world.receptacles)
        return f"move {item} to {place}"

    def _treat_too_early(self) -> str:
        item = self._world.held or f"{self._goal.item} 1"
        if verb := self._goal.task_type.treatment:
            appliance, _ = TREATMENTS[verb]
            return f"{verb} {item} with {appliance} 1"
        return f"use {self._goal.lamp or self._random.choice(sorted(LAMPS))} 1"

    def _wander(self) -> str:
        return f"go to {self._random.choice(self._world.receptacles)}"

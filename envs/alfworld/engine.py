"""The rules and sentences of ALFWorld: one command in, one text out, and what can be done next.

The commands, their preconditions and effects follow the published game's planning domain, the
sentences its text grammar; the tests compare both with the original engine. Some of its habits
may surprise: only what is held can be examined; no door has to be open to heat, cool or clean; a
blade slices whatever lies at the player's place, behind a closed door too; a lamp, once used,
counts as lit for ever; and `look`, before the first walk, sees nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from agentgym.envs.alfworld.house import Goal, House
from agentgym.envs.alfworld.kinds import (
    BLADES,
    HOLDS,
    LAMPS,
    OPENABLE,
    PICKUPABLE,
    SLICEABLE,
    TREATMENTS,
)
from agentgym.envs.alfworld.world import World, is_won, kind_of, listing_order

NOTHING = "Nothing happens."
"""The answer to every command that is not admissible."""

HELP = """\
Available commands:
  look:                             look around your current location
  inventory:                        check your current inventory
  go to (receptacle):               move to a receptacle
  open (receptacle):                open a receptacle
  close (receptacle):               close a receptacle
  take (object) from (receptacle):  take an object from a receptacle
  move (object) to (receptacle):  place an object in or on a receptacle
  examine (something):              examine a receptacle or an object
  use (object):                     use an object
  heat (object) with (receptacle):  heat an object using a receptacle
  clean (object) with (receptacle): clean an object using a receptacle
  cool (object) with (receptacle):  cool an object using a receptacle
  slice (object) with (object):     slice an object using a sharp object
"""

_MIDDLE = "You are in the middle of a room. Looking quickly around you, you see {things}."


class Game(Protocol):
    """One episode in some engine of the game."""

    intro: str
    """The first text: the room and the task."""
    admissible: tuple[str, ...]
    """The commands that do something now, sorted."""
    won: bool

    def step(self, command: str) -> str:
        """Carry out a command and return what the player reads."""
        ...


def enumerate_names(names: Iterable[str]) -> str:
    """The names as the game lists them, in the given order.

    >>> enumerate_names(["mug 1", "pan 2"]), enumerate_names([])
    ('a mug 1, and a pan 2', 'nothing')
    """
    named = [f"a {name}" for name in names]
    if not named:
        return "nothing"
    if len(named) == 1:
        return named[0]
    return f"{', '.join(named[:-1])}, and {named[-1]}"


class NativeGame:
    """An episode in our own engine: see `Game`."""

    def __init__(self, house: House, goal: Goal) -> None:
        self.world = World.of(house)
        self.goal = goal
        self._walks = sorted(f"go to {name}" for name in self.world.receptacles)
        self._answers: dict[str, Callable[[str], str]] = {
            "close": self._close,
            "examine": self._examine,
            "go": self._go,
            "help": lambda _: HELP,
            "inventory": self._list_inventory,
            "look": self._look,
            "move": self._move,
            "open": self._open,
            "slice": self._slice,
            "take": self._take,
            "use": self._use,
            **{verb: partial(self._treat, verb) for verb in TREATMENTS},
        }
        room = _MIDDLE.format(things=enumerate_names(self.world.receptacles))
        self.intro = (
            f"-= Welcome to TextWorld, ALFRED! =-\n\n{room}\n\nYour task is to: {goal.sentence}."
        )
        self.admissible = self._list_admissible()
        self.won = is_won(self.world, goal)

    def step(self, command: str) -> str:
        """See `Game.step`."""
        if command not in self.admissible:
            return NOTHING
        verb, _, rest = command.partition(" ")
        text = self._answers[verb](rest)
        self.admissible = self._list_admissible()
        self.won = is_won(self.world, self.goal)
        return text

    def _list_admissible(self) -> tuple[str, ...]:
        world, here = self.world, self.world.here
        if here is None:
            return tuple(sorted([*self._walks, "help", "inventory", "look"]))
        walk = f"go to {here}"
        commands = [other for other in self._walks if other != walk]
        commands += ["help", "inventory", "look", f"examine {here}"]
        items, shut = world.contents[here], world.is_shut(here)
        if kind_of(here) in OPENABLE:
            commands.append(f"open {here}" if shut else f"close {here}")
        commands += [f"use {item}" for item in items if kind_of(item) in LAMPS]
        if world.held is not None:
            commands += self._list_uses(world.held, here)
        elif not shut:
            commands += [
                f"take {item} from {here}" for item in items if kind_of(item) in PICKUPABLE
            ]
        commands.sort()
        return tuple(commands)

    def _list_uses(self, held: str, here: str) -> list[str]:
        """What can be done with the held item at the current receptacle."""
        held_kind, here_kind = kind_of(held), kind_of(here)
        commands = [f"examine {held}"]
        for verb, (appliance, kinds) in TREATMENTS.items():
            if here_kind == appliance and held_kind in kinds:
                commands.append(f"{verb} {held} with {here}")
        if held_kind in HOLDS[here_kind] and not self.world.is_shut(here):
            commands.append(f"move {held} to {here}")
        if held_kind in BLADES:
            items = self.world.contents[here]
            commands += [
                f"slice {item} with {held}" for item in items if kind_of(item) in SLICEABLE
            ]
        return commands

    def _describe(self, place: str) -> str:
        world = self.world
        if kind_of(place) not in OPENABLE:
            return f"On the {place}, you see {enumerate_names(world.contents[place])}."
        if place in world.opened:
            items = enumerate_names(world.contents[place])
            return f"The {place} is open. In it, you see {items}."
        return f"The {place} is closed."

    def _look(self, _: str) -> str:
        if self.world.here is not None:
            return f"You are facing the {self.world.here}. Next to it, you see nothing."
        return _MIDDLE.format(things="nothing")

    def _list_inventory(self, _: str) -> str:
        if self.world.held is None:
            return "You are not carrying anything."
        return f"You are carrying: a {self.world.held}."

    def _go(self, rest: str) -> str:
        place = rest.removeprefix("to ")
        self.world.here = place
        return f"You arrive at {place}. {self._describe(place)}"

    def _open(self, place: str) -> str:
        self.world.opened.add(place)
        return f"You open the {place}. {self._describe(place)}"

    def _close(self, place: str) -> str:
        self.world.opened.remove(place)
        return f"You close the {place}."

    def _take(self, rest: str) -> str:
        item, _, place = rest.partition(" from ")
        self.world.contents[place].remove(item)
        self.world.held = item
        return f"You pick up the {item} from the {place}."

    def _move(self, rest: str) -> str:
        item, _, place = rest.partition(" to ")
        items = self.world.contents[place]
        items.append(item)
        items.sort(key=listing_order)
        self.world.held = None
        return f"You move the {item} to the {place}."

    def _treat(self, verb: str, rest: str) -> str:
        item, _, place = rest.partition(" with ")
        self.world.treat(verb, item)
        return f"You {verb} the {item} using the {place}."

    def _slice(self, rest: str) -> str:
        item, _, blade = rest.partition(" with ")
        self.world.sliced.add(item)
        return f"You sliced the {item} with the {blade}."

    def _use(self, lamp: str) -> str:
        self.world.toggled.add(lamp)
        return f"You turn on the {lamp}."

    def _examine(self, name: str) -> str:
        world = self.world
        if name in world.contents:
            return self._describe(name)
        warm = "hot" if name in world.hot else "cool" if name in world.cool else ""
        clean = "clean" if name in world.clean else ""
        sliced = "sliced" if name in world.sliced else ""
        if warm == "cool" and not clean and not sliced:
            warm = "cold"
        quality = " ".join(filter(None, (" and ".join(filter(None, (warm, clean))), sliced)))
        if quality:
            return f"This is a {quality} {name}."
        return f"There's nothing special about {name}."

"""The state of a house during an episode, and the two tests on it that engine and experts share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from agentgym.envs.alfworld.house import Goal, House, TaskType
from agentgym.envs.alfworld.kinds import OPENABLE


def kind_of(name: str) -> str:
    """The name without its number.

    >>> kind_of("cabinet 3")
    'cabinet'
    """
    return name.partition(" ")[0]


def listing_order(name: str) -> tuple[str, int]:
    """The sort key of everything the game lists: kinds upwards, their numbers downwards."""
    kind, _, number = name.partition(" ")
    return kind, -int(number)


def of_kind(kind: str, names: Iterable[str]) -> list[str]:
    """The names of that kind, in their order."""
    prefix = kind + " "
    return [name for name in names if name.startswith(prefix)]


@dataclass(slots=True, kw_only=True)
class World:
    """What is where and in what state: in the engine all of it, in a player's mind what was seen.

    Items and receptacles are named as in the text ("apple 2").
    """

    receptacles: tuple[str, ...]
    contents: dict[str, list[str]] = field(default_factory=dict)
    """Receptacle -> its items, in listing order; what a player has not looked into is missing."""
    opened: set[str] = field(default_factory=set)
    """The receptacles that stand open; those without a door never do."""
    here: str | None = None
    """The receptacle at which the player stands; None in the middle of the room."""
    held: str | None = None
    clean: set[str] = field(default_factory=set)
    hot: set[str] = field(default_factory=set)
    cool: set[str] = field(default_factory=set)
    sliced: set[str] = field(default_factory=set)
    toggled: set[str] = field(default_factory=set)
    """Lamps that were ever switched on; the game keeps no record of switching them off."""

    @staticmethod
    def of(house: House) -> World:
        """The state at the start of an episode."""
        names = sorted((place.name for place in house.receptacles), key=listing_order)
        contents: dict[str, list[str]] = {name: [] for name in names}
        for item in house.items:
            contents[item.place].append(item.name)
        for items in contents.values():
            items.sort(key=listing_order)
        return World(
            receptacles=tuple(contents),
            contents=contents,
            opened={place.name for place in house.receptacles if place.opened},
        )

    def is_shut(self, receptacle: str) -> bool:
        """Whether its door is closed, as far as this world knows."""
        return receptacle not in self.opened and kind_of(receptacle) in OPENABLE

    def treated(self, verb: str) -> set[str]:
        """The items in the state that "clean", "heat" or "cool" leaves them in."""
        return self.clean if verb == "clean" else self.hot if verb == "heat" else self.cool

    def treat(self, verb: str, item: str) -> None:
        """Clean, heat or cool an item; what is hot is no longer cool, and the reverse."""
        self.treated(verb).add(item)
        if verb != "clean":
            self.treated("cool" if verb == "heat" else "heat").discard(item)


def is_won(world: World, goal: Goal) -> bool:
    """Whether the goal holds now."""
    if goal.task_type is TaskType.LOOK:
        if world.held is None or world.here is None or kind_of(world.held) != goal.item:
            return False
        lit = of_kind(goal.lamp, world.toggled)
        return any(lamp in world.contents[world.here] for lamp in lit)
    verb = goal.task_type.treatment
    treated = world.treated(verb) if verb else None
    needed = 2 if goal.task_type is TaskType.TWO else 1
    for place in of_kind(goal.receptacle, world.receptacles):
        items = of_kind(goal.item, world.contents[place])
        if sum(treated is None or item in treated for item in items) >= needed:
            return True
    return False

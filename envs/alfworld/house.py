"""A house (one room, its receptacles and items) and the goal set in it, with their plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from agentgym.envs.alfworld.kinds import OPENABLE
from agentgym.types import Json

Room: TypeAlias = Literal["kitchen", "livingroom", "bedroom", "bathroom"]
ROOMS: tuple[Room, ...] = ("kitchen", "livingroom", "bedroom", "bathroom")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receptacle:
    """A fixed piece of furniture that holds items; it has a location of its own."""

    name: str
    """Kind and number, as in the text: "cabinet 3"; numbers start at 1 within a kind."""
    opened: bool = False
    """Whether it stands open at the start; only where `openable`."""

    @property
    def kind(self) -> str:
        """The name without its number."""
        return self.name.rpartition(" ")[0]

    @property
    def openable(self) -> bool:
        """Whether it can be opened and closed; what is closed hides its items."""
        return self.kind in OPENABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A thing that lies in or on a receptacle at the start."""

    name: str
    """Kind and number: "apple 2"."""
    place: str
    """The name of its receptacle."""

    @property
    def kind(self) -> str:
        """The name without its number."""
        return self.name.rpartition(" ")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """One furnished room at the start of an episode.

    Receptacles and items stand in the order in which their numbers were given, kinds in
    alphabetical order. The agent starts in the middle of the room, at no receptacle, with empty
    hands; nothing is clean, hot, cool, sliced or switched on.
    """

    scene: int
    """The floor plan: equal numbers have equal receptacles and equal stocks of item kinds."""
    room: Room
    receptacles: tuple[Receptacle, ...]
    items: tuple[Item, ...]

    def to_json(self) -> dict[str, Json]:
        """Plain JSON: names only, as kinds tell the rest."""
        return {
            "scene": self.scene,
            "room": self.room,
            "receptacles": [receptacle.name for receptacle in self.receptacles],
            "opened": [receptacle.name for receptacle in self.receptacles if receptacle.opened],
            "items": {item.name: item.place for item in self.items},
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> House:
        """The inverse of `to_json`."""
        opened = frozenset(data["opened"])
        return House(
            scene=data["scene"],
            room=data["room"],
            receptacles=tuple(
                Receptacle(name=name, opened=name in opened) for name in data["receptacles"]
            ),
            items=tuple(Item(name=name, place=place) for name, place in data["items"].items()),
        )


class TaskType(StrEnum):
    """The six kinds of household task."""

    PLACE = "pick_and_place"
    LOOK = "look_at_obj_in_light"
    CLEAN = "pick_clean_then_place"
    HEAT = "pick_heat_then_place"
    COOL = "pick_cool_then_place"
    TWO = "pick_two_obj_and_place"

    @property
    def treatment(self) -> str | None:
        """What must be done to the item first: "clean", "heat" or "cool"; None for nothing."""
        return _TREATMENTS.get(self)


_TREATMENTS = {TaskType.CLEAN: "clean", TaskType.HEAT: "heat", TaskType.COOL: "cool"}

SENTENCES: dict[TaskType, tuple[str, ...]] = {
    TaskType.PLACE: ("put a {item} in {receptacle}", "put some {item} on {receptacle}"),
    TaskType.LOOK: ("look at {item} under the {lamp}", "examine the {item} with the {lamp}"),
    TaskType.CLEAN: (
        "put a clean {item} in {receptacle}",
        "clean some {item} and put it in {receptacle}",
    ),
    TaskType.HEAT: (
        "put a hot {item} in {receptacle}",
        "heat some {item} and put it in {receptacle}",
    ),
    TaskType.COOL: (
        "put a cool {item} in {receptacle}",
        "cool some {item} and put it in {receptacle}",
    ),
    TaskType.TWO: (
        "put two {item} in {receptacle}",
        "find two {item} and put them in {receptacle}",
    ),
}
"""Task type -> its wordings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What is to be done, in kinds: any item of the kind will do."""

    task_type: TaskType
    item: str
    """The kind of item to move, or to look at."""
    receptacle: str = ""
    """The kind of receptacle to put it in; empty for `LOOK`. For `TWO`, both in the same one."""
    lamp: str = ""
    """The kind of lamp to look under; empty but for `LOOK`."""
    wording: int = 0
    """Which of the task type's `SENTENCES` states it."""

    @property
    def sentence(self) -> str:
        """The task as the player reads it, without a full stop."""
        wording = SENTENCES[self.task_type][self.wording]
        return wording.format(item=self.item, receptacle=self.receptacle, lamp=self.lamp)

    def to_json(self) -> dict[str, Json]:
        """Plain JSON."""
        return {**asdict(self), "task_type": str(self.task_type)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Goal:
        """The inverse of `to_json`."""
        return Goal(**{**data, "task_type": TaskType(data["task_type"])})

"""Short scenes in an ALFWorld house, each ending in a given cell of the coverage table."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator

from alfworld_cells import APPLIANCES, quality_of

from agentgym.envs.alfworld.kinds import BLADES, HOLDS, LAMPS, OPENABLE, SLICEABLE
from agentgym.envs.alfworld.world import World, kind_of

Scene = Iterator[str]
"""Commands, each chosen when the one before it has been carried out."""


class Director:
    """Sets scenes on the live state of a game.

    A scene that this house or state does not allow ends in an `IndexError` (nothing to pick from).
    """

    def __init__(self, world: World, generator: random.Random) -> None:
        self._world = world
        self._random = generator
        self._scenes: dict[str, Callable[[str, str], Scene]] = {
            **dict.fromkeys(("help", "inventory", "look"), self._speak),
            "go": self._go,
            "open": self._turn,
            "close": self._turn,
            "take": self._take,
            "move": self._move,
            "examine place": self._examine_place,
            "examine item": self._examine_item,
            "use": self._use,
            "slice": self._slice,
            **dict.fromkeys(APPLIANCES, self._treat),
        }

    def play(self, cell: str) -> Scene:
        """The commands that lead to a cell; the last one is in it."""
        verb, _, case = cell.partition(": ")
        return self._scenes[verb](verb, case)

    def _pick(self, names: Iterable[str]) -> str:
        return self._random.choice(sorted(names))

    def _places(self, kinds: Iterable[str] | None = None) -> set[str]:
        """The receptacles, of these kinds only if given."""
        return {p for p in self._world.contents if kinds is None or kind_of(p) in kinds}

    def _items(self, kinds: Iterable[str] | None = None) -> set[str]:
        """The items that lie somewhere and can be taken, of these kinds only if given."""
        lying = {item for items in self._world.contents.values() for item in items}
        return {i for i in lying if kind_of(i) not in LAMPS and (not kinds or kind_of(i) in kinds)}

    def _lamps(self) -> set[str]:
        return {i for items in self._world.contents.values() for i in items if kind_of(i) in LAMPS}

    def _place_of(self, item: str) -> str:
        return self._pick(p for p, items in self._world.contents.items() if item in items)

    def _visit(self, place: str, *, opened: bool | None = None) -> Scene:
        """Stand at a place, its door open or closed if that matters."""
        if self._world.here != place:
            yield f"go to {place}"
        if opened is not None and kind_of(place) in OPENABLE:
            if opened == self._world.is_shut(place):
                yield f"{'open' if opened else 'close'} {place}"

    def _leave(self, place: str) -> Scene:
        """Stand at some other place."""
        if self._world.here in (None, place):
            yield f"go to {self._pick(self._places() - {place})}"

    def _drop(self) -> Scene:
        """Have free hands."""
        held, here = self._world.held, self._world.here
        if held is None:
            return
        fitting = {place for place in self._places() if kind_of(held) in HOLDS[kind_of(place)]}
        place = here if here in fitting else self._pick(fitting)
        assert place is not None
        yield from self._visit(place, opened=True)
        yield f"move {held} to {place}"

    def _fetch(self, item: str) -> Scene:
        """Hold that item."""
        if self._world.held != item:
            yield from self._drop()
            place = self._place_of(item)
            yield from self._visit(place, opened=True)
            yield f"take {item} from {place}"

    def _speak(self, verb: str, case: str) -> Scene:
        if case == "at the start" and self._world.here is not None:
            self._pick(())
        if case == "at a place" and self._world.here is None:
            yield f"go to {self._pick(self._places())}"
        if case == "holding" and self._world.held is None:
            yield from self._fetch(self._pick(self._items()))
        if case == "empty":
            yield from self._drop()
        yield verb

    def _go(self, verb: str, case: str) -> Scene:
        place = "attic 1" if case == "no such place" else self._pick(self._places())
        if case == "already there":
            yield from self._visit(place)
        elif case == "works":
            yield from self._leave(place)
        yield f"go to {place}"

    def _turn(self, verb: str, case: str) -> Scene:
        doors = self._places(OPENABLE)
        place = self._pick(self._places() - doors if case == "no door" else doors)
        wrong = case in ("open already", "closed already")
        yield from self._visit(place, opened=(verb == "open") == wrong)
        if case == "elsewhere":
            yield from self._leave(place)
        yield f"{verb} {place}"

    def _take(self, verb: str, case: str) -> Scene:
        doors = self._places(OPENABLE)
        behind = {i for i in self._items() if self._place_of(i) in doors}
        wanted = behind if case in ("closed", "from an open door") else self._items() - behind
        item = self._pick(self._lamps() if case == "fixed" else wanted)
        if case == "hands full":
            yield from self._fetch(self._pick(self._items() - {item}))
        else:
            yield from self._drop()
        place = self._place_of(item)
        if case == "not in it":
            place = self._pick(self._places() - {place})
        yield from self._visit(place, opened=case != "closed")
        if case == "elsewhere":
            yield from self._leave(place)
        yield f"take {item} from {place}"

    def _move(self, verb: str, case: str) -> Scene:
        item = self._pick(self._items())
        if case == "not held":
            yield from self._drop()
        else:
            yield from self._fetch(item)
        fits = {p for p in self._places() if kind_of(item) in HOLDS[kind_of(p)]}
        if case == "wrong kind":
            fits = self._places() - fits
        elif case in ("into an open door", "closed"):
            fits &= self._places(OPENABLE)
        elif case == "works":
            fits -= self._places(OPENABLE)
        place = self._pick(fits)
        yield from self._visit(place, opened=case != "closed")
        if case == "elsewhere":
            yield from self._leave(place)
        yield f"move {item} to {place}"

    def _examine_place(self, verb: str, case: str) -> Scene:
        doors = self._places(OPENABLE)
        place = self._pick(doors if case in ("open", "closed") else self._places() - doors)
        yield from self._visit(place, opened=case == "open")
        if case == "elsewhere":
            yield from self._leave(place)
        yield f"examine {place}"

    def _examine_item(self, verb: str, case: str) -> Scene:
        if case.startswith("not held"):
            item = self._pick(self._items())
            yield from self._drop()
            place = self._place_of(item)
            yield from self._visit(place, opened=True)
            if case.endswith("elsewhere"):
                yield from self._leave(place)
        else:
            item = self._pick(i for i in self._items() if self._can_become(i, case))
            yield from self._prepare(item, case)
            yield from self._fetch(item)
        yield f"examine {item}"

    def _can_become(self, item: str, quality: str) -> bool:
        """Whether an item can be brought into that state: what is done cannot be undone."""
        world, kind = self._world, kind_of(item)
        wanted = {
            "sliced": "sliced" in quality,
            "clean": "clean" in quality,
            "heat": "hot" in quality,
            "cool": "cool" in quality or "cold" in quality,
        }
        if (item in world.sliced) > wanted["sliced"] or (item in world.clean) > wanted["clean"]:
            return False
        if item in world.hot | world.cool and not wanted["heat"] and not wanted["cool"]:
            return False
        able = all(kind in APPLIANCES[verb][1] for verb in APPLIANCES if wanted[verb])
        return able and (kind in SLICEABLE or not wanted["sliced"])

    def _prepare(self, item: str, quality: str) -> Scene:
        """Bring an item into a state that it can have."""
        if "sliced" in quality and item not in self._world.sliced:
            yield from self._fetch(self._pick(self._items(BLADES)))
            yield from self._visit(self._place_of(item))
            yield f"slice {item} with {self._world.held}"
        for verb, word in (("clean", "clean"), ("heat", "hot"), ("cool", "coo|cold")):
            if any(part in quality for part in word.split("|")):
                if word.split("|")[0] not in quality_of(self._world, item):
                    yield from self._treat(verb, "works", item=item)

    def _use(self, verb: str, case: str) -> Scene:
        lamp = self._pick(self._lamps() - (self._world.toggled if case == "works" else set()))
        place = self._place_of(lamp)
        if case == "no switch":
            lamp = self._pick(self._items())
            place = self._place_of(lamp)
        yield from self._visit(place)
        if case == "elsewhere":
            yield from self._leave(place)
        if case == "again" and lamp not in self._world.toggled:
            yield f"use {lamp}"
        yield f"use {lamp}"

    def _treat(self, verb: str, case: str, item: str = "") -> Scene:
        appliance, suited = APPLIANCES[verb]
        place = self._pick(self._places({appliance}))
        chosen = self._items() - self._items(suited) if case == "unsuited" else self._items(suited)
        item = item or self._pick(chosen)
        if case == "not held":
            yield from self._drop()
        else:
            yield from self._fetch(item)
        if case == "wrong appliance":
            place = self._pick(self._places() - self._places({appliance}))
        yield from self._visit(place, opened=case != "behind a closed door")
        if case == "elsewhere":
            yield from self._leave(place)
        yield f"{verb} {item} with {place}"

    def _slice(self, verb: str, case: str) -> Scene:
        blade = self._pick(self._items(BLADES))
        sliceable = self._items(SLICEABLE)
        behind = {i for i in sliceable if self._place_of(i) in self._places(OPENABLE)}
        chosen = behind if case == "behind a closed door" else sliceable - behind
        if case == "not sliceable":
            chosen = self._items() - sliceable - {blade}
        item = self._pick(chosen)
        tool = blade
        if case == "not a blade":
            tool = self._pick(self._items() - self._items(BLADES) - {item})
        if case == "blade not held":
            yield from self._drop()
        else:
            yield from self._fetch(tool)
        place = self._place_of(item)
        yield from self._visit(place, opened=case != "behind a closed door")
        if case == "elsewhere":
            yield from self._leave(place)
        if case == "again" and item not in self._world.sliced:
            yield f"slice {item} with {tool}"
        yield f"slice {item} with {tool}"

"""ALFWorld's rules as its planning domain states them: facts, and every grounding tried.

Slow on purpose: a state is a set of facts, an action is admissible when its precondition holds,
and every command is found by trying every pair of names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Fact = tuple[str, ...]

DOES = {"clean": "sinkbasin", "heat": "microwave", "cool": "fridge"}


def kind(name: str) -> str:
    return name.split()[0]


class Rules:
    """One episode. `can` maps "openable", "pickupable", "clean", ... to kinds."""

    def __init__(
        self,
        house: Mapping[str, Any],
        goal: Mapping[str, Any],
        *,
        can: Mapping[str, frozenset[str]],
        holds: Mapping[str, frozenset[str]],
    ) -> None:
        self.receptacles = list(house["receptacles"])
        self.items = list(house["items"])
        self.goal, self.can, self.holds = goal, can, holds
        self.facts: set[Fact] = {("in", item, place) for item, place in house["items"].items()}
        self.facts |= {("opened", place) for place in house["opened"]}

    def at(self, place: str) -> bool:
        return ("at", place) in self.facts

    def accessible(self, place: str) -> bool:
        return kind(place) not in self.can["openable"] or ("opened", place) in self.facts

    def held(self, item: str) -> bool:
        return ("holds", item) in self.facts

    def inside(self, item: str, place: str) -> bool:
        return ("in", item, place) in self.facts

    def effects(self, command: str) -> tuple[set[Fact], set[Fact]] | None:
        """What the command adds and deletes; None when its precondition fails."""
        match command.split():
            case ["look"] | ["inventory"] | ["help"]:
                return set(), set()
            case ["go", "to", *rest]:
                place = " ".join(rest)
                if self.at(place):
                    return None
                return {("at", place)}, {fact for fact in self.facts if fact[0] == "at"}
            case ["open" | "close" as verb, k, n]:
                place = f"{k} {n}"
                if k not in self.can["openable"] or not self.at(place):
                    return None
                if (("opened", place) in self.facts) == (verb == "open"):
                    return None
                door: set[Fact] = {("opened", place)}
                return (door, set()) if verb == "open" else (set(), door)
            case ["examine", k, n]:
                name = f"{k} {n}"
                return (set(), set()) if self.at(name) or self.held(name) else None
            case ["use", k, n]:
                lamp = f"{k} {n}"
                near = any(self.at(p) and self.inside(lamp, p) for p in self.receptacles)
                return ({("toggled", lamp)}, set()) if k in self.can["use"] and near else None
            case [verb, k1, n1, _, k2, n2]:
                return self.pair_effects(verb, f"{k1} {n1}", f"{k2} {n2}")
        return None

    def pair_effects(self, verb: str, item: str, other: str) -> tuple[set[Fact], set[Fact]] | None:
        near = self.at(other)
        empty = not any(self.held(held) for held in self.items)
        if verb == "take":
            able = kind(item) in self.can["pickupable"] and self.inside(item, other)
            if near and able and empty and self.accessible(other):
                return {("holds", item)}, {("in", item, other)}
        elif verb == "move":
            if near and self.held(item) and self.accessible(other):
                if kind(item) in self.holds[kind(other)]:
                    return {("in", item, other)}, {("holds", item)}
        elif verb == "slice":
            place = [place for place in self.receptacles if self.inside(item, place)]
            here = bool(place) and self.at(place[0])
            if kind(item) in self.can["slice"] and kind(other) in self.can["blade"]:
                if here and self.held(other):
                    return {("slice", item)}, set()
        elif kind(item) in self.can[verb] and kind(other) == DOES[verb]:
            if near and self.held(item):
                undone = {"heat": "cool", "cool": "heat", "clean": "nothing"}
                return {(verb, item)}, {(undone[verb], item)}
        return None

    def admissible(self) -> tuple[str, ...]:
        pairs = [
            f"{verb} {item} {word} {place}"
            for verb, word in (
                ("take", "from"),
                ("move", "to"),
                ("clean", "with"),
                ("heat", "with"),
                ("cool", "with"),
            )
            for item in self.items
            for place in self.receptacles
        ]
        pairs += [f"slice {a} with {b}" for a in self.items for b in self.items]
        singles = [f"{verb} {place}" for verb in ("open", "close") for place in self.receptacles]
        singles += [f"go to {place}" for place in self.receptacles]
        singles += [f"examine {name}" for name in self.receptacles + self.items]
        singles += [f"use {item}" for item in self.items]
        commands = [*pairs, *singles, "look", "inventory", "help"]
        return tuple(sorted(c for c in commands if self.effects(c) is not None))

    def step(self, command: str) -> None:
        effects = self.effects(command)
        if effects is not None:
            added, deleted = effects
            self.facts = (self.facts - deleted) | added

    def won(self) -> bool:
        task, wanted = self.goal["task_type"], self.goal["item"]
        items = [item for item in self.items if kind(item) == wanted]
        if task == "look_at_obj_in_light":
            lit = any(
                self.at(place) and self.inside(lamp, place) and ("toggled", lamp) in self.facts
                for lamp in self.items
                if kind(lamp) == self.goal["lamp"]
                for place in self.receptacles
            )
            return lit and any(self.held(item) for item in items)
        verb = {"pick_clean": "clean", "pick_heat_": "heat", "pick_cool_": "cool"}.get(task[:10])
        done = [item for item in items if verb is None or (verb, item) in self.facts]
        needed = 2 if task == "pick_two_obj_and_place" else 1
        return any(
            sum(self.inside(item, place) for item in done) >= needed
            for place in self.receptacles
            if kind(place) == self.goal["receptacle"]
        )

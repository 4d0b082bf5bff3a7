"""The experts' policy: from what is known of a house to the next command."""

from __future__ import annotations

from agentgym.envs.alfworld.house import Goal, TaskType
from agentgym.envs.alfworld.kinds import HOLDS, OPENABLE, TREATMENTS
from agentgym.envs.alfworld.world import World, kind_of, of_kind


def find_command(world: World, goal: Goal) -> str | None:
    """The next command towards the goal; None when what is wanted is not known to be anywhere."""
    held = world.held
    if held is not None and kind_of(held) != goal.item:
        return _put_down(world, held)
    if held is None:
        return _fetch(world, goal)
    if goal.task_type is TaskType.LOOK:
        return _light(world, goal)
    return _deliver(world, goal, held)


def _reach(world: World, place: str, then: str) -> str:
    """The command `then` once the player stands at an open `place`; before that, the way there."""
    if world.here != place:
        return f"go to {place}"
    return f"open {place}" if world.is_shut(place) else then


def _prefer_here(world: World, places: list[str]) -> str:
    """One of the places, the current one where possible, since it costs no walk."""
    return world.here if world.here in places else places[0]


def _put_down(world: World, held: str) -> str:
    kind = kind_of(held)
    able = [place for place in world.receptacles if kind in HOLDS[kind_of(place)]]
    able.sort(key=lambda place: kind_of(place) in OPENABLE)
    place = _prefer_here(world, able)
    return _reach(world, place, f"move {held} to {place}")


def _find_target(world: World, goal: Goal) -> str:
    """The receptacle to deliver to: the one that holds most of the wanted items already."""
    places = of_kind(goal.receptacle, world.receptacles)
    if goal.task_type is not TaskType.TWO:
        return _prefer_here(world, places)
    return max(places, key=lambda place: len(of_kind(goal.item, world.contents.get(place, ()))))


def _fetch(world: World, goal: Goal) -> str | None:
    """Take a wanted item, from the current place if one is there, but not a delivered one."""
    done = _find_target(world, goal) if goal.task_type is TaskType.TWO else None
    sources = [
        place
        for place, items in world.contents.items()
        if place != done and of_kind(goal.item, items)
    ]
    if not sources:
        return None
    place = _prefer_here(world, sources)
    item = of_kind(goal.item, world.contents[place])[0]
    return _reach(world, place, f"take {item} from {place}")


def _light(world: World, goal: Goal) -> str | None:
    sources = [place for place, items in world.contents.items() if of_kind(goal.lamp, items)]
    if not sources:
        return None
    place = _prefer_here(world, sources)
    lamp = of_kind(goal.lamp, world.contents[place])[0]
    return _reach(world, place, f"use {lamp}")


def _deliver(world: World, goal: Goal, held: str) -> str:
    verb = goal.task_type.treatment
    if verb is not None and held not in world.treated(verb):
        appliance, _ = TREATMENTS[verb]
        place = _prefer_here(world, of_kind(appliance, world.receptacles))
        return f"{verb} {held} with {place}" if world.here == place else f"go to {place}"
    place = _find_target(world, goal)
    return _reach(world, place, f"move {held} to {place}")

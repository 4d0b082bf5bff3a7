"""Corridor by its rules alone: shortest solutions, and how often a random player wins."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

NUM_ROOMS = 4
State = tuple[int, frozenset[str]]
"""The room one is in, and the keys that one still needs."""


def successors(state: State, key_room: int, door_room: int) -> dict[str, State | None]:
    """Action -> what follows; None for the open door."""
    here, needed = state
    found: dict[str, State | None] = {}
    if here > 0:
        found["west"] = (here - 1, needed)
    if here < NUM_ROOMS - 1:
        found["east"] = (here + 1, needed)
    if here == key_room:
        found |= {f"take {key} key": (here, needed - {key}) for key in sorted(needed)}
    if here == door_room:
        found["open door"] = state if needed else None
    return found


def shortest(start: int, key_room: int, door_room: int) -> int:
    """The fewest actions to open the door, by breadth-first search."""
    first: State = (start, frozenset({"red", "blue"}))
    level, seen, length = {first}, {first}, 0
    while True:
        length += 1
        reached = {
            follower
            for state in level
            for follower in successors(state, key_room, door_room).values()
        }
        if None in reached:
            return length
        level = {state for state in reached if state is not None and state not in seen}
        seen |= level


def random_success(start: int, key_room: int, door_room: int, num_turns: int) -> Fraction:
    """The chance that uniformly random choices open the door in so many turns."""
    mass: dict[State, Fraction] = {(start, frozenset({"red", "blue"})): Fraction(1)}
    won = Fraction(0)
    for _ in range(num_turns):
        after: defaultdict[State, Fraction] = defaultdict(Fraction)
        for state, chance in mass.items():
            followers = successors(state, key_room, door_room)
            for follower in followers.values():
                if follower is None:
                    won += chance / len(followers)
                else:
                    after[follower] += chance / len(followers)
        mass = after
    return won

"""Floor plans: which receptacles a room has and which items belong to it, drawn from our tables."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from agentgym.envs.alfworld.house import ROOMS, Room
from agentgym.envs.alfworld.kinds import HOLDS

NUM_TRAIN, NUM_UNSEEN = 24, 6
"""Scenes per room: those used in training, and those held out."""

_Counts = Mapping[str, tuple[int, int]]

RECEPTACLES: Mapping[Room, _Counts] = {
    "kitchen": {
        "cabinet": (2, 6),
        "coffeemachine": (1, 1),
        "countertop": (1, 3),
        "diningtable": (0, 1),
        "drawer": (1, 4),
        "fridge": (1, 1),
        "garbagecan": (1, 1),
        "microwave": (1, 1),
        "shelf": (0, 3),
        "sidetable": (0, 1),
        "sinkbasin": (1, 1),
        "stoveburner": (2, 4),
        "toaster": (1, 1),
    },
    "livingroom": {
        "armchair": (1, 2),
        "cabinet": (0, 3),
        "coffeetable": (1, 1),
        "desk": (0, 1),
        "diningtable": (0, 1),
        "drawer": (0, 4),
        "dresser": (0, 1),
        "garbagecan": (1, 1),
        "safe": (0, 1),
        "shelf": (0, 4),
        "sidetable": (1, 2),
        "sofa": (1, 1),
        "tvstand": (0, 1),
    },
    "bedroom": {
        "armchair": (0, 1),
        "bed": (1, 1),
        "cabinet": (0, 2),
        "desk": (0, 1),
        "drawer": (2, 6),
        "dresser": (0, 1),
        "garbagecan": (1, 1),
        "laundryhamper": (0, 1),
        "safe": (0, 1),
        "shelf": (1, 4),
        "sidetable": (1, 2),
    },
    "bathroom": {
        "bathtubbasin": (0, 1),
        "cabinet": (1, 4),
        "cart": (0, 1),
        "countertop": (1, 2),
        "drawer": (0, 3),
        "garbagecan": (1, 1),
        "handtowelholder": (1, 2),
        "shelf": (0, 2),
        "sidetable": (0, 1),
        "sinkbasin": (1, 2),
        "toilet": (1, 1),
        "toiletpaperhanger": (1, 1),
        "towelholder": (1, 2),
    },
}
"""Room -> receptacle kind -> fewest and most of it."""

ITEMS: Mapping[Room, _Counts] = {
    "kitchen": {
        "apple": (0, 2),
        "bowl": (0, 2),
        "bread": (0, 2),
        "butterknife": (0, 2),
        "cup": (0, 2),
        "dishsponge": (0, 2),
        "egg": (0, 2),
        "fork": (0, 2),
        "glassbottle": (0, 1),
        "kettle": (0, 1),
        "knife": (1, 2),
        "ladle": (0, 1),
        "lettuce": (0, 2),
        "mug": (1, 2),
        "pan": (0, 2),
        "papertowelroll": (0, 1),
        "peppershaker": (0, 2),
        "plate": (0, 2),
        "pot": (0, 2),
        "potato": (0, 2),
        "saltshaker": (0, 2),
        "soapbottle": (0, 2),
        "spatula": (0, 2),
        "spoon": (0, 2),
        "tomato": (0, 2),
        "vase": (0, 1),
        "winebottle": (0, 1),
    },
    "livingroom": {
        "book": (0, 2),
        "bowl": (0, 1),
        "box": (0, 2),
        "candle": (0, 2),
        "cellphone": (0, 2),
        "creditcard": (0, 2),
        "desklamp": (1, 1),
        "keychain": (0, 2),
        "laptop": (0, 2),
        "newspaper": (0, 2),
        "pillow": (0, 2),
        "plate": (0, 1),
        "remotecontrol": (1, 2),
        "statue": (0, 2),
        "tissuebox": (0, 2),
        "vase": (0, 2),
        "watch": (0, 2),
        "wateringcan": (0, 1),
    },
    "bedroom": {
        "alarmclock": (0, 2),
        "baseballbat": (0, 1),
        "basketball": (0, 1),
        "book": (0, 2),
        "bowl": (0, 1),
        "box": (0, 1),
        "cd": (0, 2),
        "cellphone": (0, 2),
        "cloth": (0, 2),
        "creditcard": (0, 2),
        "desklamp": (1, 2),
        "keychain": (0, 2),
        "laptop": (0, 2),
        "mug": (0, 2),
        "pen": (0, 2),
        "pencil": (0, 2),
        "pillow": (1, 3),
        "statue": (0, 1),
        "teddybear": (0, 1),
        "tennisracket": (0, 1),
        "tissuebox": (0, 1),
        "vase": (0, 1),
        "watch": (0, 2),
    },
    "bathroom": {
        "candle": (0, 2),
        "cloth": (1, 3),
        "dishsponge": (0, 1),
        "handtowel": (1, 2),
        "plunger": (0, 1),
        "scrubbrush": (0, 1),
        "soapbar": (1, 2),
        "soapbottle": (0, 2),
        "spraybottle": (0, 2),
        "tissuebox": (0, 1),
        "toiletpaper": (1, 2),
        "towel": (0, 2),
    },
}
"""Room -> item kind -> fewest and most of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A floor plan: what stays the same when its items are put elsewhere."""

    number: int
    """Kitchens start at 1, living rooms at 101, bedrooms at 201, bathrooms at 301."""
    room: Room
    places: Mapping[str, tuple[str, ...]]
    """Receptacle kind -> the names of that kind."""
    stock: Mapping[str, int]
    """Item kind -> how many, at least one; only kinds that some receptacle here may hold."""


def _draw(counts: _Counts, generator: random.Random) -> dict[str, int]:
    drawn = {kind: generator.randint(low, high) for kind, (low, high) in counts.items()}
    return {kind: count for kind, count in drawn.items() if count}


@cache
def get_scene(number: int) -> Scene:
    """The scene of that number."""
    room = ROOMS[number // 100]
    generator = random.Random(f"scene/{number}")
    furniture = _draw(RECEPTACLES[room], generator)
    stock = _draw(ITEMS[room], generator)
    return Scene(
        number=number,
        room=room,
        places={
            kind: tuple(f"{kind} {index}" for index in range(1, count + 1))
            for kind, count in furniture.items()
        },
        stock={
            kind: count
            for kind, count in stock.items()
            if any(kind in HOLDS[place] for place in furniture)
        },
    )


def scene_numbers(room: Room, *, unseen: bool) -> range:
    """The scenes of a room: those held out, or those to train in."""
    first = 100 * ROOMS.index(room) + 1
    if unseen:
        return range(first + NUM_TRAIN, first + NUM_TRAIN + NUM_UNSEEN)
    return range(first, first + NUM_TRAIN)

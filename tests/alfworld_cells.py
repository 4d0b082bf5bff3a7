"""The coverage table of ALFWorld's commands: each one that works, each reason to fail."""

from __future__ import annotations

from collections.abc import Callable

from agentgym.envs.alfworld.kinds import (
    BLADES,
    CLEANABLE,
    COOLABLE,
    HEATABLE,
    HOLDS,
    LAMPS,
    OPENABLE,
    SLICEABLE,
)
from agentgym.envs.alfworld.world import World, kind_of

APPLIANCES = {
    "clean": ("sinkbasin", CLEANABLE),
    "heat": ("microwave", HEATABLE),
    "cool": ("fridge", COOLABLE),
}
JOINTS = {"take": "from", "move": "to", "slice": "with"} | dict.fromkeys(APPLIANCES, "with")
"""Verb -> the word between its two names."""

QUALITIES = (
    "nothing special",
    "hot",
    "clean",
    "cold",
    "hot and clean",
    "cool and clean",
    "sliced",
    "hot sliced",
    "cool sliced",
    "clean sliced",
    "hot and clean sliced",
    "cool and clean sliced",
)
"""What can be said of an item in the hand."""

CELLS = (
    *("look: at the start", "look: at a place", "help: works"),
    *("inventory: empty", "inventory: holding"),
    *("go: works", "go: already there", "go: no such place"),
    *("open: works", "open: elsewhere", "open: no door", "open: open already"),
    *("close: works", "close: elsewhere", "close: no door", "close: closed already"),
    *("take: works", "take: from an open door", "take: elsewhere", "take: not in it"),
    *("take: hands full", "take: closed", "take: fixed"),
    *("move: works", "move: into an open door", "move: not held", "move: elsewhere"),
    *("move: closed", "move: wrong kind"),
    *("examine place: plain", "examine place: open", "examine place: closed"),
    "examine place: elsewhere",
    *("examine item: not held, here", "examine item: not held, elsewhere"),
    *(f"examine item: {quality}" for quality in QUALITIES),
    *("use: works", "use: again", "use: elsewhere", "use: no switch"),
    *(
        f"{verb}: {case}"
        for verb in APPLIANCES
        for case in ("works", "not held", "elsewhere", "wrong appliance", "unsuited")
    ),
    *("heat: behind a closed door", "cool: behind a closed door"),
    *("slice: works", "slice: behind a closed door", "slice: again", "slice: elsewhere"),
    *("slice: not sliceable", "slice: not a blade", "slice: blade not held"),
    *("nonsense", "won", "won no more"),
)
"""All cells. After the colon stands what is special about a command that works, or the one reason
for which it fails; "won" and "won no more" count changes of the goal."""

Case = tuple[str, dict[str, bool]]
"""What to call the command when it works, and which reasons to fail hold."""


def quality_of(world: World, item: str) -> str:
    """Which of `QUALITIES` an item has."""
    heat = "hot" if item in world.hot else "cool" if item in world.cool else ""
    states = filter(None, [heat, "clean" if item in world.clean else ""])
    text = (" and ".join(states) + (" sliced" if item in world.sliced else "")).strip()
    return {"": "nothing special", "cool": "cold"}.get(text, text)


def is_near(world: World, item: str) -> bool:
    """Whether an item lies in or on the receptacle at which the player stands."""
    return world.here is not None and item in world.contents[world.here]


def classify(world: World, command: str) -> tuple[str, bool]:
    """The cell of a command in a state, and whether by this table the command works.

    The cell is "several" when it fails for more than one reason.
    """
    verb, _, rest = command.partition(" ")
    if command in _SPEECHES:
        return _SPEECHES[command](world), True
    items = {item for content in world.contents.values() for item in content} | {world.held}
    if verb == "examine" and rest in world.contents:
        return _examine_place(world, rest), rest == world.here
    if verb == "examine" and rest in items:
        return _examine_item(world, rest), rest == world.held
    if verb == "go":
        to, _, rest = rest.partition(" ")
        if to == "to" and rest not in world.contents:
            return "go: no such place", False
    first, _, second = rest.partition(f" {JOINTS.get(verb)} ")
    firsts = world.contents if verb in ("go", "open", "close") else items
    seconds = items if verb == "slice" else world.contents
    if verb not in _CASES or first not in firsts or (verb in JOINTS and second not in seconds):
        return "nonsense", False
    variant, reasons = _CASES[verb](world, first, second)
    failed = [reason for reason, fails in reasons.items() if fails]
    cell = f"{verb}: {failed[0] if failed else variant}" if len(failed) < 2 else "several"
    return cell, not failed


_SPEECHES: dict[str, Callable[[World], str]] = {
    "help": lambda world: "help: works",
    "inventory": lambda world: f"inventory: {'empty' if world.held is None else 'holding'}",
    "look": lambda world: f"look: at {'the start' if world.here is None else 'a place'}",
}


def _examine_place(world: World, place: str) -> str:
    if place != world.here:
        return "examine place: elsewhere"
    closed = "closed" if world.is_shut(place) else "plain"
    return f"examine place: {'open' if place in world.opened else closed}"


def _examine_item(world: World, item: str) -> str:
    if item == world.held:
        return f"examine item: {quality_of(world, item)}"
    return f"examine item: not held, {'here' if is_near(world, item) else 'elsewhere'}"


def _go(world: World, place: str, _: str) -> Case:
    return "works", {"already there": place == world.here}


def _open(world: World, place: str, _: str) -> Case:
    doorless = kind_of(place) not in OPENABLE
    return "works", {
        "elsewhere": place != world.here,
        "no door": doorless,
        "open already": place in world.opened,
    }


def _close(world: World, place: str, _: str) -> Case:
    doorless = kind_of(place) not in OPENABLE
    return "works", {
        "elsewhere": place != world.here,
        "no door": doorless,
        "closed already": world.is_shut(place),
    }


def _take(world: World, item: str, place: str) -> Case:
    return "from an open door" if place in world.opened else "works", {
        "elsewhere": place != world.here,
        "not in it": item not in world.contents[place],
        "hands full": world.held is not None,
        "closed": world.is_shut(place),
        "fixed": kind_of(item) in LAMPS,
    }


def _move(world: World, item: str, place: str) -> Case:
    return "into an open door" if place in world.opened else "works", {
        "not held": item != world.held,
        "elsewhere": place != world.here,
        "closed": world.is_shut(place),
        "wrong kind": kind_of(item) not in HOLDS[kind_of(place)],
    }


def _use(world: World, item: str, _: str) -> Case:
    return "again" if item in world.toggled else "works", {
        "elsewhere": not is_near(world, item),
        "no switch": kind_of(item) not in LAMPS,
    }


def _treat(verb: str) -> Callable[[World, str, str], Case]:
    appliance, suited = APPLIANCES[verb]

    def case(world: World, item: str, place: str) -> Case:
        return "behind a closed door" if world.is_shut(place) else "works", {
            "not held": item != world.held,
            "elsewhere": place != world.here,
            "wrong appliance": kind_of(place) != appliance,
            "unsuited": kind_of(item) not in suited,
        }

    return case


def _slice(world: World, item: str, blade: str) -> Case:
    again = "again" if item in world.sliced else "works"
    shut = world.here is not None and world.is_shut(world.here)
    return "behind a closed door" if shut else again, {
        "elsewhere": not is_near(world, item),
        "not sliceable": kind_of(item) not in SLICEABLE,
        "not a blade": kind_of(blade) not in BLADES,
        "blade not held": blade != world.held,
    }


_CASES: dict[str, Callable[[World, str, str], Case]] = {
    "go": _go,
    "open": _open,
    "close": _close,
    "take": _take,
    "move": _move,
    "use": _use,
    "slice": _slice,
    **{verb: _treat(verb) for verb in APPLIANCES},
}

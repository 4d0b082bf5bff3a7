"""Writes a house and its goal as a game of the published format, for the real engine.

The domain and the grammar are the installed `alfworld` package's own, read at run time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from agentgym.envs.alfworld.house import Goal, House, TaskType
from agentgym.envs.alfworld.kinds import (
    BLADES,
    CLEANABLE,
    COOLABLE,
    FRIDGE,
    HEATABLE,
    HOLDS,
    LAMPS,
    MICROWAVE,
    PICKUPABLE,
    SINK,
    SLICEABLE,
)
from agentgym.registry import needs_extra
from agentgym.types import Json

ORIGINAL = "the real ALFWorld engine"
"""What the extra brings."""

_ABILITIES = {
    "pickupable": PICKUPABLE,
    "cleanable": CLEANABLE,
    "heatable": HEATABLE,
    "coolable": COOLABLE,
    "sliceable": SLICEABLE,
    "toggleable": LAMPS,
}
_NAMED_TYPES = {SINK, MICROWAVE, FRIDGE} | BLADES
"""Kinds whose types the domain's actions name: they must exist even in a house without them."""

_START = "loc_bar_0_bar_0_bar_0_bar_30"

_PLACED = "(receptacleType ?r {receptacle}Type) (objectType ?o {item}Type) (inReceptacle ?o ?r)"
_STATES = {
    TaskType.PLACE: "",
    TaskType.CLEAN: "(cleanable ?o) (isClean ?o)",
    TaskType.HEAT: "(heatable ?o) (isHot ?o)",
    TaskType.COOL: "(coolable ?o) (isCool ?o)",
}
_ONE = "(exists (?r - receptacle) (exists (?o - object) (and " + _PLACED + " {state})))"
_TWO = (
    "(exists (?r - receptacle) (exists (?o - object) (and "
    + _PLACED
    + " (exists (?o2 - object) (and (not (= ?o ?o2))"
    " (objectType ?o2 {item}Type) (inReceptacle ?o2 ?r))))))"
)
_LOOK = (
    "(and (exists (?ot - object ?r - receptacle ?a - agent ?l - location) (and"
    " (objectType ?ot {lamp}Type) (toggleable ?ot) (isToggled ?ot) (receptacleAtLocation ?r ?l)"
    " (atLocation ?a ?l) (inReceptacle ?ot ?r)))"
    " (exists (?o - object ?a - agent) (and (objectType ?o {item}Type) (holds ?a ?o))))"
)


def name_ids(house: House) -> dict[str, str]:
    """Shown name -> id in the problem, such that the real engine shows that name.

    It numbers the things of a kind by their ids in descending order, so the highest number gets
    the lowest coordinate.
    """
    names = [receptacle.name for receptacle in house.receptacles]
    names += [item.name for item in house.items]
    counts = Counter(name.rpartition(" ")[0] for name in names)
    ids = {}
    for name in names:
        kind, _, number = name.rpartition(" ")
        rank = counts[kind] - int(number)
        place = f"_bar__plus_{rank // 100:02d}_dot_{rank % 100:02d}" + 2 * "_bar__plus_00_dot_00"
        basin = kind.endswith("basin")
        ids[name] = kind.removesuffix("basin") + place + (f"_bar_{kind}" if basin else "")
    return ids


def _objects(house: House, ids: dict[str, str]) -> Iterator[str]:
    """The declarations of everything that the facts name."""
    receptacle_kinds = {receptacle.kind for receptacle in house.receptacles}
    item_kinds = {item.kind for item in house.items}
    yield "agent1 - agent"
    yield f"{_START} - location"
    yield from (f"{kind}Type - rtype" for kind in sorted(receptacle_kinds | _NAMED_TYPES - BLADES))
    yield from (f"{kind}Type - otype" for kind in sorted(item_kinds | BLADES))
    for number, receptacle in enumerate(house.receptacles, start=1):
        yield f"{ids[receptacle.name]} - receptacle"
        yield f"{_locate(number)} - location"
    yield from (f"{ids[item.name]} - object" for item in house.items)


def _facts(house: House, ids: dict[str, str]) -> Iterator[str]:
    """What holds at the start."""
    locations = {}
    item_kinds = sorted({item.kind for item in house.items})
    yield f"atLocation agent1 {_START}"
    for number, receptacle in enumerate(house.receptacles, start=1):
        receptacle_id = ids[receptacle.name]
        locations[receptacle.name] = _locate(number)
        yield f"receptacleType {receptacle_id} {receptacle.kind}Type"
        yield f"receptacleAtLocation {receptacle_id} {_locate(number)}"
        if receptacle.openable:
            yield f"openable {receptacle_id}"
        if receptacle.opened:
            yield f"opened {receptacle_id}"
    for item in house.items:
        yield f"objectType {ids[item.name]} {item.kind}Type"
        yield f"inReceptacle {ids[item.name]} {ids[item.place]}"
        yield f"objectAtLocation {ids[item.name]} {locations[item.place]}"
        for ability, kinds in _ABILITIES.items():
            if item.kind in kinds:
                yield f"{ability} {ids[item.name]}"
    for kind in sorted({receptacle.kind for receptacle in house.receptacles}):
        yield from (
            f"canContain {kind}Type {item}Type" for item in item_kinds if item in HOLDS[kind]
        )


def _locate(number: int) -> str:
    """The location of the receptacle of that number: nothing else is there."""
    return f"loc_bar_{number}_bar_0_bar_0_bar_30"


def write_problem(house: House, goal: Goal) -> str:
    """The PDDL problem."""
    ids = name_ids(house)
    objects = "\n    ".join(_objects(house, ids))
    facts = "\n    ".join(f"({fact})" for fact in _facts(house, ids))
    pattern = {TaskType.TWO: _TWO, TaskType.LOOK: _LOOK}.get(goal.task_type, _ONE)
    condition = pattern.format(
        receptacle=goal.receptacle,
        item=goal.item,
        lamp=goal.lamp,
        state=_STATES.get(goal.task_type, ""),
    )
    return (
        "(define (problem plan_0)\n  (:domain alfred)\n"
        f"  (:objects\n    {objects}\n  )\n  (:init\n    {facts}\n    (= (total-cost) 0)\n  )\n"
        f"  (:goal {condition})\n  (:metric minimize (total-cost))\n)\n"
    )


@cache
def read_rules() -> tuple[str, str]:
    """The domain and the grammar of the installed package.

    Raises:
        UsageError: the package is missing; the message names the extra.
    """
    with needs_extra("alfworld", ORIGINAL):
        from alfworld.info import ALFRED_PDDL_PATH, ALFRED_TWL2_PATH
    return Path(ALFRED_PDDL_PATH).read_text(), Path(ALFRED_TWL2_PATH).read_text()


def write_game(house: House, goal: Goal) -> dict[str, Json]:
    """The content of a `game.tw-pddl` file; as JSON it is the file.

    Raises:
        UsageError: the package with the domain and the grammar is missing.
    """
    domain, grammar = read_rules()
    return {
        "pddl_domain": domain,
        "grammar": grammar.replace("UNKNOWN GOAL", goal.sentence),
        "pddl_problem": write_problem(house, goal),
        "solvable": True,
        "walkthrough": None,
    }

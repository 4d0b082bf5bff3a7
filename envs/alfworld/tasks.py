"""The panels gen1/train, gen1/seen and gen1/unseen: houses and goals, drawn by counter.

Task i of a panel has type i modulo six, so that every beginning of a panel is balanced, and it
hangs on nothing but its own id. The scenes of gen1/unseen occur in no other panel; gen1/seen has
the training scenes with their items put elsewhere.
"""

from __future__ import annotations

import random
from functools import cache

from agentgym.envs.alfworld.house import ROOMS, SENTENCES, Goal, House, Item, Receptacle, TaskType
from agentgym.envs.alfworld.kinds import HOLDS, LAMPS, OPENABLE, PICKUPABLE, TREATMENTS, likelihood
from agentgym.envs.alfworld.scenes import Scene, get_scene, scene_numbers
from agentgym.envs.alfworld.world import kind_of
from agentgym.errors import unknown
from agentgym.panel import Panel
from agentgym.types import Task

ENV_ID = "agentgym/ALFWorld-v0"

SIZES = {"gen1/train": 3000, "gen1/seen": 140, "gen1/unseen": 134}
"""Split -> number of tasks; the last two are as many as in the published panels."""

OPEN_SHARE = 0.05
"""How often a receptacle with a door stands open at the start."""


@cache
def list_goals(scene: int, task_type: TaskType) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What may be asked for in a scene: item kinds, each with its possible targets.

    Targets are receptacle kinds (for `LOOK`: lamp kinds). The item can always lie elsewhere than
    on its target, so that no goal need hold from the start.
    """
    stock, places = get_scene(scene).stock, get_scene(scene).places
    appliance, able = TREATMENTS.get(task_type.treatment or "", (None, PICKUPABLE))
    if appliance is not None and appliance not in places:
        return ()
    goals = []
    for item in sorted(able):
        if stock.get(item, 0) < (2 if task_type is TaskType.TWO else 1):
            continue
        holders = [kind for kind in places if item in HOLDS[kind]]
        targets = [kind for kind in holders if kind != appliance and len(holders) > 1]
        if task_type is TaskType.LOOK:
            targets = [lamp for lamp in stock if lamp in LAMPS]
        if targets:
            goals.append((item, tuple(targets)))
    return tuple(goals)


@cache
def list_scenes(task_type: TaskType, unseen: bool) -> tuple[tuple[int, ...], ...]:
    """The scenes in which a task of that type can be set; one tuple per room that has any."""
    rooms = (scene_numbers(room, unseen=unseen) for room in ROOMS)
    able = (tuple(s for s in scenes if list_goals(s, task_type)) for scenes in rooms)
    return tuple(scenes for scenes in able if scenes)


def draw_goal(scene: int, task_type: TaskType, generator: random.Random) -> Goal:
    """A goal of that type that fits the scene."""
    item, targets = generator.choice(list_goals(scene, task_type))
    target = generator.choice(targets)
    look = task_type is TaskType.LOOK
    return Goal(
        task_type=task_type,
        item=item,
        receptacle="" if look else target,
        lamp=target if look else "",
        wording=generator.randrange(len(SENTENCES[task_type])),
    )


@cache
def _weigh(scene: int, item: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The receptacles of a scene where an item kind may lie, and how likely each is."""
    likely = {
        name: likelihood(item, kind)
        for kind, names in get_scene(scene).places.items()
        for name in names
        if item in HOLDS[kind]
    }
    return tuple(likely), tuple(likely.values())


def furnish(scene: Scene, goal: Goal, generator: random.Random) -> House:
    """The scene with its doors set and its items put down, none of the goal's on its target."""
    items = []
    for item, count in scene.stock.items():
        places, weights = _weigh(scene.number, item)
        if item == goal.item:
            weights = tuple(
                0.0 if kind_of(place) == goal.receptacle else weight
                for place, weight in zip(places, weights, strict=True)
            )
        drawn = generator.choices(places, weights, k=count)
        items += [Item(name=f"{item} {i}", place=place) for i, place in enumerate(drawn, start=1)]
    receptacles = tuple(
        Receptacle(name=name, opened=kind in OPENABLE and generator.random() < OPEN_SHARE)
        for kind, names in scene.places.items()
        for name in names
    )
    return House(scene=scene.number, room=scene.room, receptacles=receptacles, items=tuple(items))


def make_task(split: str, index: int) -> Task:
    """The task of that number, anew."""
    task_id = f"{split}/{index:04d}"
    generator = random.Random(task_id)
    task_type = tuple(TaskType)[index % len(TaskType)]
    rooms = list_scenes(task_type, split == "gen1/unseen")
    scene = get_scene(generator.choice(generator.choice(rooms)))
    goal = draw_goal(scene.number, task_type, generator)
    house = furnish(scene, goal, generator)
    return Task(
        id=task_id,
        split=split,
        seed=index,
        public={
            "type": str(goal.task_type),
            "house": house.to_json(),
            "goal": goal.to_json(),
        },
    )


@cache
def load_panel(split: str) -> Panel:
    """A generated panel; built once per process.

    Raises:
        UsageError: there is no such split.
    """
    if split not in SIZES:
        raise unknown("ALFWorld split", split, SIZES)
    tasks = tuple(make_task(split, index) for index in range(SIZES[split]))
    return Panel(name=split, env=ENV_ID, tasks=tasks)

"""The panels gen1/train, gen1/dev and gen1/unseen: questions about the fictional world.

Task i of a panel takes 1 + i modulo 3 hops, so that every beginning of a panel is balanced. Each
panel asks about a part of the world of its own: no thing on the path of one panel's question is
on a path, or in the passage of a thing on a path, of another's.
"""

from __future__ import annotations

import random
from functools import cache

from agentgym.envs.search.world import PARTS, RELATIONS, Kind, Thing, World, load_world
from agentgym.errors import unknown
from agentgym.panel import Panel
from agentgym.types import Task

ENV_ID = "agentgym/Search-v0"
SIZES = {"gen1/train": 6000, "gen1/dev": 150, "gen1/unseen": 300}
"""Split -> number of tasks. Choose settings on dev; report unseen."""
MAX_HOPS = 3

Path = tuple[Thing, ...]


def draw_question(
    world: World, things: list[Thing], hops: int, generator: random.Random
) -> tuple[Path, tuple[str, ...]]:
    """Things to look up, one per hop, and what to ask of each; the last relation is the answer.

    No hop can be skipped: what it leads to is stated in no passage on the way before it. (Where
    a search shows several passages, the next one on the way may be among them by chance.)
    """
    while True:
        thing = generator.choice(things)
        path, relations, told = [thing], [], {thing.number}
        for hop in range(1, hops + 1):
            last = hop == hops
            choices = [
                relation
                for relation, fact in thing.facts.items()
                if (last or isinstance(fact, int)) and fact not in told
            ]
            if not choices:
                break
            relation = generator.choice(choices)
            relations.append(relation)
            told.update(fact for fact in thing.facts.values() if isinstance(fact, int))
            if not last:
                thing = world.things[int(thing.facts[relation])]
                path.append(thing)
        if len(relations) == hops:
            return tuple(path), tuple(relations)


def ask(path: Path, relations: tuple[str, ...]) -> str:
    """The question in words.

    >>> novel = Thing(number=0, kind=Kind.NOVEL, name="Silent Harbor", part="", pronoun="It")
    >>> person = Thing(number=1, kind=Kind.PERSON, name="Mara Holt", part="", pronoun="She")
    >>> ask((novel, person), ("author", "birthplace"))
    "What is Silent Harbor's author's birthplace?"
    """
    who = RELATIONS[path[-1].kind][relations[-1]] is Kind.PERSON
    return f"{'Who' if who else 'What'} is {path[0].name}'s {chr(39).join(_owned(relations))}?"


def _owned(relations: tuple[str, ...]) -> list[str]:
    return [relations[0], *(f"s {relation}" for relation in relations[1:])]


def make_task(world: World, split: str, index: int, question: tuple[Path, tuple[str, ...]]) -> Task:
    """The task of that number.

    The path is kept as the ids of its passages: their titles would be the questions' own words.
    """
    path, relations = question
    answer = world.name(path[-1].facts[relations[-1]])
    return Task(
        id=f"{split}/{index:04d}",
        split=split,
        seed=index,
        public={"type": f"{len(path)}-hop", "question": ask(path, relations), "corpus": "gen1"},
        secret={"answers": [answer], "path": [str(thing.number) for thing in path]},
    )


@cache
def load_panel(split: str) -> Panel:
    """A generated panel; built once per process.

    Raises:
        UsageError: there is no such split.
    """
    if split not in SIZES:
        raise unknown("Search split", split, SIZES)
    world, part = load_world(), split.partition("/")[2]
    assert part in PARTS
    things = [thing for thing in world.things if thing.part == part]
    generator = random.Random(split)
    tasks: list[Task] = []
    asked: set[str] = set()
    while len(tasks) < SIZES[split]:
        hops = 1 + len(tasks) % MAX_HOPS
        question = draw_question(world, things, hops, generator)
        if ask(*question) not in asked:
            asked.add(ask(*question))
            tasks.append(make_task(world, split, len(tasks), question))
    return Panel(name=split, env=ENV_ID, tasks=tuple(tasks))

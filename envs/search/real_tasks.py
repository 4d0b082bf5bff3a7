"""The panels real1/train, real1/dev and real1/unseen: questions about real facts.

Task i takes 1 + i modulo 2 hops. Each panel asks about countries, elements and films of its own:
none that is on the path of one panel's question, or its answer, is in a passage on a path of
another's. Answers that are mere texts may recur: two countries have the demonym "French". And a
model may know the answers beforehand; that is what tells this corpus from the fictional world.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from agentgym.envs.search.real import Entity, Kind, RealWorld, load_real
from agentgym.envs.search.reward import word_set
from agentgym.envs.search.tasks import ENV_ID
from agentgym.errors import unknown
from agentgym.panel import Panel
from agentgym.types import Task

SIZES = {"real1/train": 2000, "real1/dev": 100, "real1/unseen": 200}
"""Split -> number of tasks. Choose settings on dev; report unseen."""
LINKS = {"film": "the country where {} was made", "element": "the element after {}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A kind of question."""

    kind: Kind
    """Of what it begins with."""
    follows: bool
    """Whether it goes on to what that is linked to."""
    relation: str | None
    """What it asks of the last thing; None asks what thing it is."""

    @property
    def hops(self) -> int:
        """How many passages the answer takes."""
        return 2 if self.follows and self.relation else 1

    def fits(self, entity: Entity, world: RealWorld) -> bool:
        """Whether it can be asked about this."""
        if entity.kind != self.kind or (self.follows and entity.link is None):
            return False
        return self.relation is None or self.relation in self.last(entity, world).facts

    def last(self, entity: Entity, world: RealWorld) -> Entity:
        """The thing at its end."""
        assert not self.follows or entity.link is not None
        return world.entities[entity.link or 0] if self.follows else entity

    def ask(self, entity: Entity) -> str:
        """The question in words."""
        thing = LINKS[self.kind].format(entity.phrase) if self.follows else entity.phrase
        if self.relation is None:
            return f"What is {thing}?"
        who = "Who" if self.relation == "director" else "What"
        return f"{who} is the {self.relation} of {thing}?"

    def answers(self, entity: Entity, world: RealWorld) -> tuple[str, ...]:
        """What is accepted."""
        last = self.last(entity, world)
        return last.names if self.relation is None else last.facts[self.relation]

    def gives_away(self, entity: Entity, world: RealWorld) -> bool:
        """Whether the answer's words are in the question, or in a passage before the last.

        Or a part of a word says where it leads, as the film An Egyptian Story does.
        """
        question = self.ask(entity)
        if self.follows and self.last(entity, world).names[0].lower() in question.lower():
            return True
        told = word_set(question)
        if self.hops == 2:
            told |= word_set(world.corpus.passages[entity.number].contents)
        return any(word_set(answer) <= told for answer in self.answers(entity, world))


OF_COUNTRIES = ("capital", "calling code", "internet domain", "demonym")
SHAPES = (
    *(Shape(kind="country", follows=False, relation=name) for name in OF_COUNTRIES),
    Shape(kind="element", follows=False, relation="chemical symbol"),
    Shape(kind="element", follows=False, relation="atomic number"),
    Shape(kind="element", follows=True, relation=None),
    Shape(kind="film", follows=False, relation="director"),
    Shape(kind="film", follows=True, relation=None),
    # Not the number of the element after one: counting on would skip the second hop.
    Shape(kind="element", follows=True, relation="chemical symbol"),
    *(Shape(kind="film", follows=True, relation=name) for name in OF_COUNTRIES),
)


def draw_questions(
    world: RealWorld, part: str, hops: int, generator: random.Random
) -> Iterator[tuple[Shape, Entity]]:
    """All questions of a part that take so many hops; the shapes take turns while they last."""
    waiting = [_draw_shape(world, part, shape, generator) for shape in SHAPES if shape.hops == hops]
    while waiting:
        for questions in tuple(waiting):
            question = next(questions, None)
            if question is None:
                waiting.remove(questions)
            else:
                yield question


def _draw_shape(
    world: RealWorld, part: str, shape: Shape, generator: random.Random
) -> Iterator[tuple[Shape, Entity]]:
    """In random order, but the last things take turns: most films are American."""
    begins = [
        each
        for each in world.entities
        if each.part == part and shape.fits(each, world) and not shape.gives_away(each, world)
    ]
    generator.shuffle(begins)
    rounds = defaultdict(list)
    seen: dict[int, int] = defaultdict(int)
    for entity in begins:
        last = shape.last(entity, world).number
        rounds[seen[last]].append((shape, entity))
        seen[last] += 1
    return (question for number in sorted(rounds) for question in rounds[number])


def make_task(world: RealWorld, split: str, index: int, shape: Shape, entity: Entity) -> Task:
    """The task of that number; the path is kept as the ids of its passages."""
    path = [entity, shape.last(entity, world)][: shape.hops]
    return Task(
        id=f"{split}/{index:04d}",
        split=split,
        seed=index,
        public={"type": f"{shape.hops}-hop", "question": shape.ask(entity), "corpus": "real1"},
        secret={
            "answers": list(shape.answers(entity, world)),
            "path": [str(each.number) for each in path],
        },
    )


@cache
def load_real_panel(split: str) -> Panel:
    """A panel about real facts; built once per process.

    Raises:
        UsageError: there is no such split, or the packages with the facts are missing.
    """
    if split not in SIZES:
        raise unknown("Search split", split, SIZES)
    world, generator = load_real(), random.Random(split)
    part = split.partition("/")[2]
    drawn = [draw_questions(world, part, hops, generator) for hops in (1, 2)]
    tasks = tuple(
        make_task(world, split, index, *next(drawn[index % 2])) for index in range(SIZES[split])
    )
    return Panel(name=split, env=ENV_ID, tasks=tasks)

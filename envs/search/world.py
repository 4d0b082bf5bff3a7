"""The fictional world: people, novels, companies, contests and towns, and what relates them.

Every possible name of two words is taken by one thing, so that all searches meet near namesakes.
The things are dealt out to three parts, and every relation stays within a part: a question of one
part can be answered without reading of another. A thing is described by one passage, which states
all its relations; a relation between two things that has an inverse is stated in both passages.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from agentgym.envs.search import names
from agentgym.envs.search.corpus import ListCorpus, Passage

PARTS = {"train": 0.8, "dev": 0.1, "unseen": 0.1}
"""Part of the world -> its share of the things of every kind."""
YEARS = range(1700, 2000)


class Kind(StrEnum):
    """Of things. The values are for people to read."""

    PERSON = "person"
    NOVEL = "novel"
    COMPANY = "company"
    CONTEST = "contest"
    TOWN = "town"


RELATIONS: Mapping[Kind, Mapping[str, Kind | None]] = {
    Kind.PERSON: {
        "birthplace": Kind.TOWN,
        "birth date": None,
        "spouse": Kind.PERSON,
        "novel": Kind.NOVEL,
        "company": Kind.COMPANY,
        "governed town": Kind.TOWN,
        "victory": Kind.CONTEST,
    },
    Kind.NOVEL: {
        "author": Kind.PERSON,
        "publisher": Kind.COMPANY,
        "setting": Kind.TOWN,
        "publication date": None,
    },
    Kind.COMPANY: {
        "founder": Kind.PERSON,
        "headquarters": Kind.TOWN,
        "contest": Kind.CONTEST,
        "founding date": None,
    },
    Kind.CONTEST: {
        "winner": Kind.PERSON,
        "venue": Kind.TOWN,
        "sponsor": Kind.COMPANY,
        "start date": None,
    },
    Kind.TOWN: {"mayor": Kind.PERSON, "contest": Kind.CONTEST, "charter date": None},
}
"""Kind -> what one may ask of it -> the kind of the answer; None is a month and a year."""

INVERSES = (
    (Kind.NOVEL, "author", "novel"),
    (Kind.COMPANY, "founder", "company"),
    (Kind.TOWN, "mayor", "governed town"),
    (Kind.CONTEST, "winner", "victory"),
    (Kind.CONTEST, "venue", "contest"),
    (Kind.CONTEST, "sponsor", "contest"),
)
"""Kind, relation, inverse: one to one, each thing of the kind with a partner of its own."""

MANY_TO_ONE = (
    (Kind.PERSON, "birthplace"),
    (Kind.NOVEL, "publisher"),
    (Kind.NOVEL, "setting"),
    (Kind.COMPANY, "headquarters"),
)

SENTENCES: Mapping[Kind, tuple[str, ...]] = {
    Kind.PERSON: (
        "{name} was born in {birthplace} in {birth date}.",
        "{pronoun} married {spouse}.",
        "{pronoun} wrote {novel}.",
        "{pronoun} founded {company}.",
        "{pronoun} governs {governed town}.",
        "{pronoun} won {victory}.",
    ),
    Kind.NOVEL: (
        "{name} is a novel by {author}.",
        "It was published by {publisher} in {publication date}.",
        "It is set in {setting}.",
    ),
    Kind.COMPANY: (
        "{name} was founded by {founder} in {founding date}.",
        "Its headquarters are in {headquarters}.",
        "It sponsors {contest}.",
    ),
    Kind.CONTEST: (
        "{name} is a contest held in {venue} since {start date}.",
        "It was won by {winner}.",
        "It is sponsored by {sponsor}.",
    ),
    Kind.TOWN: (
        "{name} is a town chartered in {charter date}.",
        "Its mayor is {mayor}.",
        "It hosts {contest}.",
    ),
}
"""A sentence is left out when the thing lacks its relation. A model reads it behind the passage's
title, so that no name opens a line and a name's tokens are the same everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A named thing and all that is known of it."""

    number: int
    """Its place in `World.things`, and the id of its passage."""
    kind: Kind
    name: str
    part: str
    pronoun: str
    facts: dict[str, int | str] = field(default_factory=dict)
    """Relation -> the number of a thing, or a month and a year."""


@dataclass(frozen=True, kw_only=True)
class World:
    """All things, and the passages that describe them."""

    things: tuple[Thing, ...]
    corpus: ListCorpus

    def name(self, fact: int | str) -> str:
        """A fact as text."""
        return fact if isinstance(fact, str) else self.things[fact].name


@cache
def load_world() -> World:
    """The world; made once per process, and the same in every one."""
    generator = random.Random("agentgym/Search gen1")
    things = tuple(_name_things(generator))
    for part in PARTS:
        _relate([thing for thing in things if thing.part == part], generator)
    passages = tuple(_describe(thing, things) for thing in things)
    return World(things=things, corpus=ListCorpus(passages=passages))


def _name_things(generator: random.Random) -> Iterator[Thing]:
    """Every name that two words make, dealt out to the parts at random."""
    words = {
        Kind.PERSON: (names.WOMEN + names.MEN, names.SURNAMES),
        Kind.NOVEL: (names.ADJECTIVES, names.NOVEL_WORDS),
        Kind.COMPANY: (names.ADJECTIVES, names.COMPANY_WORDS),
        Kind.CONTEST: (names.ADJECTIVES, names.CONTEST_WORDS),
        Kind.TOWN: (names.TOWN_WORDS, names.NOVEL_WORDS),
    }
    number = 0
    for kind, (firsts, lasts) in words.items():
        pairs = [(first, last) for first in firsts for last in lasts]
        generator.shuffle(pairs)
        for index, (first, last) in enumerate(pairs):
            yield Thing(
                number=number,
                kind=kind,
                name=f"{first} {last}",
                part=_part_of(index / len(pairs)),
                pronoun="She" if first in names.WOMEN else "He",
            )
            number += 1


def _part_of(place: float) -> str:
    """The part that holds this place in [0, 1)."""
    end = 0.0
    for part, share in PARTS.items():
        end += share
        if place < end:
            return part
    return part  # the shares' sum may fall short of 1 by rounding


def _relate(things: list[Thing], generator: random.Random) -> None:
    """Fill in the facts of one part's things."""
    of_kind = {kind: [thing for thing in things if thing.kind is kind] for kind in Kind}
    for kind, relation in MANY_TO_ONE:
        target = RELATIONS[kind][relation]
        assert target is not None
        for thing in of_kind[kind]:
            thing.facts[relation] = generator.choice(of_kind[target]).number
    for kind, relation, inverse in INVERSES:
        target = RELATIONS[kind][relation]
        assert target is not None
        partners = generator.sample(of_kind[target], len(of_kind[kind]))
        for thing, partner in zip(of_kind[kind], partners, strict=True):
            thing.facts[relation] = partner.number
            partner.facts[inverse] = thing.number
    people = generator.sample(of_kind[Kind.PERSON], len(of_kind[Kind.PERSON]))
    for one, other in zip(people[::2], people[1::2], strict=False):  # an odd one stays single
        one.facts["spouse"], other.facts["spouse"] = other.number, one.number
    for thing in things:
        for relation, target in RELATIONS[thing.kind].items():
            if target is None:
                month, year = generator.choice(names.MONTHS), generator.choice(YEARS)
                thing.facts[relation] = f"{month} {year}"


def _describe(thing: Thing, things: tuple[Thing, ...]) -> Passage:
    """Its passage: one sentence per relation, in a fixed order."""
    words = {"name": thing.name, "pronoun": thing.pronoun}
    for relation, fact in thing.facts.items():
        words[relation] = fact if isinstance(fact, str) else things[fact].name
    known = [s for s in SENTENCES[thing.kind] if _slots(s) <= words.keys()]
    text = " ".join(sentence.format_map(words) for sentence in known)
    return Passage(id=str(thing.number), contents=f'"{thing.name}"\n{text}')


@cache
def _slots(sentence: str) -> frozenset[str]:
    """The names in braces."""
    return frozenset(piece.partition("}")[0] for piece in sentence.split("{")[1:])

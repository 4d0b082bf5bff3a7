"""Real facts: countries, elements and films, from data files that two packages carry."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from agentgym.envs.indexing.words import words
from agentgym.envs.search.corpus import ListCorpus, Passage
from agentgym.errors import UsageError

PACKAGES = {"bokeh-sampledata": "2026.1", "countryinfo": "1.0.1"}
"""Pinned: other versions would make other panels under the same names."""
ABBREVIATIONS = frozenset({"UAE", "UK", "US", "USA"})
"""The codes that people call a country by."""
SPELLINGS = {"Aluminum": "Aluminium", "Cesium": "Caesium", "Sulfur": "Sulphur"}
RENAMED = {
    "Nihomium": "Nihonium",
    "Nur-Sultan": "Astana",
    "People's Republic of China": "China",
    "Republic of Macedonia": "North Macedonia",
    "Swaziland": "Eswatini",
}
"""What the files write -> what it is called. All else is as they have it."""
DISSOLVED = frozenset({"Antilles n\u00e9erlandaises", "Serbia and Montenegro"})
ARTICLE = re.compile(
    r"United |(Democratic )?Republic |Federated |Isle of |.* (Islands|Republic|Territory|Lands)$"
    r"|(Comoros|Maldives|Netherlands|Philippines|Seychelles)$"
)
"""Countries with "the" before their names."""
BLOCK = 6
"""Elements in a row that go to the same part, so that most know the next one."""
HELD_OUT = {4: "dev", 7: "unseen"}
"""Of ten places in a row, those that are not for training."""

Kind: TypeAlias = Literal["country", "element", "film"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A country, an element or a film, and what its passage says of it."""

    number: int
    """Its place in `RealWorld.entities`, and the id of its passage."""
    kind: Kind
    title: str
    """Of its passage."""
    phrase: str
    """How a question speaks of it."""
    names: tuple[str, ...]
    """What is accepted where it is the answer; passages say the first."""
    part: str
    """Whose panel may ask about it; "" is nobody's."""
    link: int | None = None
    """Of a film, the number of its country; of an element, that of the next one."""
    facts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Relation -> accepted answers; passages say the first."""


@dataclass(frozen=True, kw_only=True)
class RealWorld:
    """All entities, and the passages that describe them."""

    entities: tuple[Entity, ...]
    corpus: ListCorpus


def installed_folder(package: str) -> Path | None:
    """Where a package lies, which is not imported; None without the right version of it."""
    try:
        found = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return None
    if found.version != PACKAGES[package]:
        return None
    return Path(str(found.locate_file(package.replace("-", "_"))))


def is_installed() -> bool:
    """Whether the facts are there to build from."""
    return all(installed_folder(package) for package in PACKAGES)


def _folder(package: str) -> Path:
    folder = installed_folder(package)
    if folder is None:
        raise UsageError(
            f"the panels real1/... need the package {package}=={PACKAGES[package]}: "
            "pip install 'agentgym-lab[search-real]'"
        )
    return folder


@cache
def load_real() -> RealWorld:
    """The world of facts; made once per process, and the same in every one.

    Raises:
        UsageError: a package is missing, or of another version; the message names the extra.
    """
    data, countries_data = _folder("bokeh-sampledata") / "_data", _folder("countryinfo") / "data"
    films = _read_films(data / "movies.db")
    made = Counter(film.country for film in films)
    entities = list(_make_countries(countries_data, made))
    countries = {entity.names[0]: entity for entity in entities}
    entities += _make_elements(data / "elements.csv", first=len(entities))
    entities += _make_films(films, countries, first=len(entities))
    passages = tuple(_describe(entity, entities) for entity in entities)
    return RealWorld(entities=tuple(entities), corpus=ListCorpus(passages=passages))


def _part_of(place: int) -> str:
    return HELD_OUT.get(place % 10, "train")


def accepted(text: str) -> tuple[str, ...]:
    """A text, and the same without its accents.

    >>> accepted("Bras\\xedlia")[1:], accepted("Paris")
    (('Brasilia',), ('Paris',))
    """
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return tuple(dict.fromkeys((text, plain)))


def _make_countries(folder: Path, made: Mapping[str, int]) -> Iterator[Entity]:
    """Every country or territory with one capital.

    Dealt out in the order of how many films were made there, so that each part has some of all
    sizes. Nobody asks about one whose name is part of another's (Guinea): a search for it finds
    the others just as well.
    """
    read = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
    rows = {
        RENAMED.get(row["name"], row["name"]): row
        for row in read
        if isinstance(row.get("capital"), str)
        and not set(row["name"]) & set(",(")
        and row["name"] not in DISSOLVED
    }
    names = [set(words(name)) for name in rows]
    for number, name in enumerate(sorted(rows, key=lambda name: (-made[name], name))):
        row, is_clear = rows[name], sum(set(words(name)) <= other for other in names) == 1
        yield Entity(
            number=number,
            kind="country",
            title=f"{name} (country)",
            phrase=f"the {name}" if ARTICLE.match(name) else name,
            names=tuple(dict.fromkeys((*accepted(name), *_country_aliases(row)))),
            part=_part_of(number) if is_clear else "",
            facts=dict(_country_facts(name, row)),
        )


def _country_aliases(row: Mapping[str, Any]) -> Iterator[str]:
    """Other names that are written in English letters; of the codes, those in common use."""
    for name in map(str.strip, row["altSpellings"]):
        if name in ABBREVIATIONS or (name.isascii() and len(name) > 3):
            yield name


def _country_facts(name: str, row: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Where there is one answer, and the country's own name does not give it away."""
    codes: list[str] = row.get("callingCodes") or []
    domains: list[str] = row.get("tld") or []
    found = {
        "capital": RENAMED.get(row["capital"], row["capital"]),
        "calling code": codes[0] if len(codes) == 1 else "",
        "internet domain": domains[0] if domains else "",
        "demonym": row.get("demonym") or "",
    }
    for relation, fact in found.items():
        is_told = fact in name or name in fact
        if fact and not is_told and not set(fact) & set("/,"):
            yield relation, accepted(fact)


def _make_elements(file: Path, *, first: int) -> Iterator[Entity]:
    """The periodic table, dealt out in blocks."""
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    parts = [_part_of(index // BLOCK) for index in range(len(rows))]
    for index, row in enumerate(rows):
        name = RENAMED.get(row["name"], row["name"])
        is_linked = index + 1 < len(rows) and parts[index + 1] == parts[index]
        yield Entity(
            number=first + index,
            kind="element",
            title=f"{name} (element)",
            phrase=name.lower(),
            names=(name, SPELLINGS[name]) if name in SPELLINGS else (name,),
            part=parts[index],
            link=first + index + 1 if is_linked else None,
            facts={
                "chemical symbol": (row["symbol"],),
                "atomic number": (row["atomic number"],),
            },
        )


class Film(NamedTuple):
    """A row of the films' table."""

    title: str
    year: int
    director: str
    country: str


def _read_films(file: Path) -> list[Film]:
    """The films of one director and one country."""
    query = "SELECT Title, Year, Director, Country FROM omdb ORDER BY ID"
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?immutable=1", uri=True)) as source:
        films = [Film(*row) for row in source.execute(query)]
    return [
        film._replace(country=RENAMED.get(film.country, film.country))
        for film in films
        if film.director and "," not in film.director
    ]


def _make_films(
    films: list[Film], countries: Mapping[str, Entity], *, first: int
) -> Iterator[Entity]:
    """Films of the countries that there are, each in its country's part.

    None asks about a film whose director made another one in another part, which shares title and
    year with one, or whose title has no word to search for.
    """
    films = [film for film in films if film.country in countries]
    titles = Counter(film[:2] for film in films)
    parts = defaultdict(set)
    for film in films:
        parts[film.director].add(countries[film.country].part)
    for number, film in enumerate(films, start=first):
        is_asked = len(parts[film.director]) == titles[film[:2]] == 1 and words(film.title)
        country = countries[film.country]
        yield Entity(
            number=number,
            kind="film",
            title=f"{film.title} ({film.year} film)",
            phrase=f"the film {film.title} ({film.year})",
            names=(film.title,),
            part=country.part if is_asked else "",
            link=country.number,
            facts={"director": accepted(film.director)},
        )


SENTENCES = {
    "capital": "The country's capital is {}.",
    "calling code": "The country's calling code is +{}.",
    "internet domain": "The country's internet domain is {}.",
    "demonym": "The country's demonym is {}.",
    "chemical symbol": "Its chemical symbol is {}.",
    "atomic number": "Its atomic number is {}.",
    "director": "It was directed by {}.",
}
"""Said of a thing, by relation. "Country" often: a search for one meets films from it first, where
its name is all that they share."""
KIND_SENTENCES = {
    "country": "{} is a country or territory.",
    "element": "{} is a chemical element.",
    "film": "{} is a film.",
}
LINK_SENTENCES = {"film": "It was made in {}.", "element": "{} comes after it."}


def _describe(entity: Entity, entities: list[Entity]) -> Passage:
    """Its passage: a sentence for every fact."""
    begin = re.sub("^the ", "The ", _name(entity))
    sentences = [KIND_SENTENCES[entity.kind].format(begin)]
    for relation, fact in entity.facts.items():
        sentences.append(SENTENCES[relation].format(fact[0].removesuffix(".")))
    if entity.link is not None:
        sentences.append(LINK_SENTENCES[entity.kind].format(_name(entities[entity.link])))
    return Passage(id=str(entity.number), contents=f'"{entity.title}"\n{" ".join(sentences)}')


def _name(entity: Entity) -> str:
    """How a passage speaks of it."""
    return entity.phrase if entity.kind == "country" else entity.names[0]

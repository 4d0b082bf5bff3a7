"""What a player reads in an observation: the instruction, and things with numbers."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property

START = re.compile(r'"(?:[^"\\]|\\.)*"|\[(\d+)\] ([a-z]+)')
NAMED = re.compile(r'\[\d+\] [a-z]+ ("(?:[^"\\]|\\.)*")')
VALUE = re.compile(r'= ("(?:[^"\\]|\\.)*")')
OPTIONS = re.compile(r"(?:= .*)? of (\".*\")")
PLACE = re.compile(r"at (-?\d+),(-?\d+) size (\d+)x(\d+)")
ANYWHERE = ("press[Enter]", "press[Tab]", "scroll[down]", "scroll[up]", "back", "done")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Something with a number."""

    number: int
    role: str
    name: str
    said: str
    """All that stands behind its number, up to the next thing of the line."""
    before: str
    """The line's text in front of it, from the thing before."""
    line: int

    @property
    def value(self) -> str:
        """What is written in a field or chosen in a combobox."""
        found = VALUE.search(self.said)
        return str(json.loads(found[1])) if found else ""

    @property
    def options(self) -> list[str]:
        """What a combobox offers."""
        found = OPTIONS.search(self.said)
        return [json.loads(f'"{each}"') for each in QUOTED.findall(found[1])] if found else []

    @property
    def place(self) -> tuple[int, int]:
        """Its middle."""
        found = PLACE.search(self.said)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        found = PLACE.search(self.said)
        return (int(found[3]), int(found[4])) if found else (0, 0)

    def has(self, word: str) -> bool:
        """Whether a word stands behind its name, `checked` say."""
        return word in re.split(r"[ .]", self.said.replace(json.dumps(self.name), "", 1))


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An observation, and what the player did to come there."""

    text: str
    did: tuple[str, ...]

    @cached_property
    def task(self) -> str:
        """The instruction."""
        return self.text.partition("\n")[0].removeprefix("Task: ")

    @cached_property
    def lines(self) -> list[str]:
        """The page."""
        return self.text.partition("\n\n")[2].split("\n")

    @cached_property
    def focus(self) -> int | None:
        """What has the focus."""
        found = re.search(r"^Focus: \[(\d+)\]$", self.text, re.MULTILINE)
        return int(found[1]) if found else None

    @cached_property
    def things(self) -> list[Thing]:
        """In the order of the page."""
        return [thing for place, line in enumerate(self.lines) for thing in _read_line(line, place)]

    @cached_property
    def quoted(self) -> list[str]:
        """What the instruction has in quotation marks."""
        return QUOTED.findall(self.task)

    @cached_property
    def choices(self) -> tuple[str, ...]:
        """The actions that need no words or places of one's own."""
        return (*(each for thing in self.things for each in _uses(thing)), *ANYWHERE)

    def all(self, *roles: str) -> list[Thing]:
        """The things of these roles."""
        return [thing for thing in self.things if thing.role in roles]

    def find(self, name: str, *roles: str) -> Thing | None:
        """The first thing of that name."""
        wanted = (each for each in self.things if each.name == name)
        return next((each for each in wanted if not roles or each.role in roles), None)

    def match(self, pattern: str) -> tuple[str, ...]:
        """The groups of an expression that the instruction has."""
        found = re.search(pattern, self.task)
        assert found, f"an instruction of another form: {self.task}"
        return found.groups()


def _uses(thing: Thing) -> list[str]:
    """What can be done with it."""
    if thing.role == "combobox":
        return [f"select[{thing.number}, {option}]" for option in thing.options]
    return [click(thing)]


def _read_line(line: str, place: int) -> list[Thing]:
    starts = [found for found in START.finditer(line) if found[1]]
    things = []
    for which, found in enumerate(starts):
        end = starts[which + 1].start() if which + 1 < len(starts) else len(line)
        named = NAMED.match(line, found.start(), end)
        things.append(
            Thing(
                number=int(found[1]),
                role=found[2],
                name=str(json.loads(named[1])) if named else "",
                said=line[found.end() : end].strip(),
                before=line[starts[which - 1].end() if which else 0 : found.start()].strip(),
                line=place,
            )
        )
    return things


def click(thing: Thing | int | None) -> str:
    """The action that clicks on it; `done` where there is nothing to click on."""
    if thing is None:
        return "done"
    return f"click[{thing if isinstance(thing, int) else thing.number}]"


def submit(scene: Scene) -> str:
    """The click that hands in what was done."""
    for name in ("Submit", "submit", "Login", "OK", "Search", "Go!", "Order!"):
        found = scene.find(name, "button", "box")
        if found is not None:
            return click(found)
    return "done"


def fill(field: Thing | None, text: str) -> str | None:
    """The action that writes a text, unless it stands there; "*" hides what is secret."""
    if field is None or field.value == text or field.value == "*" * len(text):
        return None
    return f"type[{field.number}, {text}]"


def ordinal(text: str) -> int:
    """Which one "3rd" is, from 0."""
    return int(re.sub(r"\D", "", text)) - 1

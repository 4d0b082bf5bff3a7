"""Reading the game's sentences: what a player knows from them and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from agentgym.envs.alfworld.house import SENTENCES, Goal
from agentgym.envs.alfworld.world import World
from agentgym.errors import UsageError

_NAME = r"[a-z]+ \d+"
_LISTED = re.compile(rf"\ba ({_NAME})")
_ROOM = re.compile(r"Looking quickly around you, you see (.+)\.")
_TASK = re.compile(r"Your task is to: (.+)\.\s*\Z")
_SENTENCES = tuple(
    (task_type, number, re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[a-z]+)", sentence)))
    for task_type, sentences in SENTENCES.items()
    for number, sentence in enumerate(sentences)
)
_ARRIVED = re.compile(rf"You arrive at ({_NAME})\.")
_SEEN = re.compile(rf"(?:On the ({_NAME})|The ({_NAME}) is open\. In it), you see (.+)\.")
_SHUT = re.compile(rf"The ({_NAME}) is closed\.|You close the ({_NAME})\.")
_TAKEN = re.compile(rf"You pick up the ({_NAME}) from the ({_NAME})\.")
_MOVED = re.compile(rf"You move the ({_NAME}) to the ({_NAME})\.")
_LIT = re.compile(rf"You turn on the ({_NAME})\.")
_TREATED = re.compile(rf"You (clean|heat|cool) the ({_NAME}) using the {_NAME}\.")


def read_goal(text: str) -> Goal:
    """The goal that a game's first text states.

    Raises:
        UsageError: it states none in the words of `SENTENCES`.
    """
    found = _TASK.search(text)
    sentence = found[1] if found else ""
    for task_type, number, pattern in _SENTENCES:
        if match := pattern.fullmatch(sentence):
            return Goal(task_type=task_type, wording=number, **match.groupdict())
    raise UsageError(f"the first observation states no known task: '{sentence or text[-80:]}'")


def read_room(text: str) -> World:
    """What a game's first text tells: the receptacles, and nothing of what they hold."""
    found = _ROOM.search(text)
    return World(receptacles=tuple(_LISTED.findall(found[1])) if found else ())


def read_answer(world: World, text: str) -> None:
    """Bring a player's world up to date with the answer to a command."""
    if match := _ARRIVED.match(text):
        world.here = match[1]
    if match := _SEEN.search(text):
        place = match[1] or match[2]
        world.contents[place] = _LISTED.findall(match[3])
        if match[2]:
            world.opened.add(place)
    elif match := _SHUT.search(text):
        world.opened.discard(match[1] or match[2])
    elif match := _TAKEN.match(text):
        world.held = match[1]
        world.contents[match[2]].remove(match[1])
    elif match := _MOVED.match(text):
        world.held = None
        world.contents[match[2]].append(match[1])
    elif match := _TREATED.match(text):
        world.treat(match[1], match[2])


@dataclass(slots=True)
class Doings:
    """What a player has done so far: a game's state, as far as it does not say it every time.

    Source: GraphGPO's released code makes two observations of ALFWorld one state if, besides their
    texts and commands, the place, the held item, and what was moved so far are equal; here also
    what was cleaned, heated, cooled or switched on, since goals ask for it.
    """

    place: str = "the start"
    held: str = ""
    moved: dict[str, str] = field(default_factory=dict)
    """Item -> where it was last put."""
    treated: dict[tuple[str, str], str] = field(default_factory=dict)
    """(item, "clean" or "temperature") -> the last treatment of that kind."""
    lit: set[str] = field(default_factory=set)
    """Lamps that are on; none can be switched off."""

    def read(self, answer: str) -> None:
        """Follow the answer to a command."""
        if match := _ARRIVED.match(answer):
            self.place = match[1]
        elif match := _TAKEN.match(answer):
            self.held = match[1]
        elif match := _MOVED.match(answer):
            self.held = ""
            self.moved[match[1]] = match[2]
        elif match := _TREATED.match(answer):
            self.treated[match[2], "clean" if match[1] == "clean" else "temperature"] = match[1]
        elif match := _LIT.match(answer):
            self.lit.add(match[1])

    def __str__(self) -> str:
        moved = (f"{item} to {place}" for item, place in sorted(self.moved.items()))
        treated = (f"{verb} {item}" for (item, _), verb in sorted(self.treated.items()))
        lit = (f"{lamp} on" for lamp in sorted(self.lit))
        holding = f"holding {self.held or 'nothing'}"
        return "; ".join([f"at {self.place}", holding, *moved, *treated, *lit])

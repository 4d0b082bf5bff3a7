"""What a model is told, and how an action is read out of what it writes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from agentgym.envs.command import read_command

SYSTEM_PROMPT = """\
You use web pages. Each turn shows the page as text, where all that can be used has a number; then \
you give one action:
click[5] clicks on number 5.
type[5, some words] replaces what is written in field 5.
select[5, an option] chooses in combobox 5.
press[Enter] presses a key: Enter, Tab, Escape, Backspace, Delete, ArrowUp, ArrowDown, ArrowLeft, \
ArrowRight, Home, End, PageUp, PageDown, a letter, or a combination such as Control+a.
scroll[down] scrolls the page up, down, left or right; scroll[5, down] scrolls within number 5.
drag[5, 6] drags number 5 to number 6; either may be a place instead, as in drag[5, 80 120].
click_at[80, 120] clicks on a place, by pixels from the left and from the top.
back goes to the page before; done ends the task.
Time passes on the page only while you act. Anything else changes nothing and costs a turn.
Write the action alone, or <think>your thoughts</think><action>the action</action>."""

Kind: TypeAlias = Literal[
    "click", "type", "select", "press", "scroll", "drag", "click_at", "back", "done"
]
Way: TypeAlias = Literal["up", "down", "left", "right"]
COMMAND = re.compile(
    r"(click|type|select|press|scroll|drag|click_at|back|done)(?:\[(.*)\])?", re.DOTALL
)
NUMBER = re.compile(r"\[?(\d{1,6})\]?")
PLACE = re.compile(r"(\d{1,5}(?:\.\d{1,3})?)[ ,]+(\d{1,5}(?:\.\d{1,3})?)")
KEY = re.compile(
    r"(?:(?:Control|Shift|Alt)\+){0,2}"
    r"(?:Enter|Tab|Escape|Backspace|Delete|Space|Home|End|PageUp|PageDown|Arrow(?:Up|Down|Left|Right)"
    r"|[!-~])"
)
MAX_TEXT_CHARS = 2000
"""Longer texts are not typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A place in the window, in CSS pixels."""

    x: float
    y: float

    def __str__(self) -> str:
        return f"{self.x:g} {self.y:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """An action as it was understood."""

    kind: Kind
    target: int | Point | None = None
    """A number of the page, or a place."""
    to: int | Point | None = None
    """Where a drag ends."""
    text: str = ""
    """What to type or to choose, which key to press, which way to scroll."""

    def __str__(self) -> str:
        parts = [str(part) for part in (self.target, self.to) if part is not None]
        if self.kind == "click_at" and isinstance(self.target, Point):
            parts = [f"{self.target.x:g}", f"{self.target.y:g}"]
        if self.kind in ("type", "select", "press", "scroll"):
            parts.append(self.text)
        return f"{self.kind}[{', '.join(parts)}]" if parts else self.kind

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers that must be on the page."""
        return tuple(part for part in (self.target, self.to) if isinstance(part, int))


def read_action(text: str) -> Command | None:
    """The action in a model's text; None where there is none.

    >>> str(read_action("<think>there</think> type[3, a, b]"))
    'type[3, a, b]'
    >>> str(read_action("drag[[2], 80,120]"))
    'drag[2, 80 120]'
    """
    found = COMMAND.fullmatch(read_command(text))
    if found is None:
        return None
    kind, argument = cast("Kind", found[1]), found[2]
    if kind in ("back", "done"):
        return Command(kind=kind) if not argument else None
    if argument is None:
        return None
    first, comma, rest = argument.partition(",")
    if kind == "click":
        number = _read_number(argument)
        return None if number is None else Command(kind=kind, target=number)
    if kind == "click_at":
        place = _read_place(argument)
        return None if place is None else Command(kind=kind, target=place)
    if kind == "press":
        key = argument.strip()
        return Command(kind=kind, text=key) if KEY.fullmatch(key) else None
    if kind == "scroll":
        return _read_scroll(first if comma else "", rest if comma else argument)
    if kind == "drag":
        return _read_drag(argument)
    number = _read_number(first)
    if number is None or not comma or len(rest) > MAX_TEXT_CHARS:
        return None
    # Lone surrogates are no text that a browser takes.
    said = rest.removeprefix(" ").encode("utf-8", "replace").decode()
    return Command(kind=kind, target=number, text=said)


def _read_number(text: str) -> int | None:
    found = NUMBER.fullmatch(text.strip())
    return int(found[1]) if found else None


def _read_place(text: str) -> Point | None:
    found = PLACE.fullmatch(text.strip())
    return Point(x=float(found[1]), y=float(found[2])) if found else None


def _read_end(text: str) -> int | Point | None:
    number = _read_number(text)
    return _read_place(text) if number is None else number


def _read_scroll(target: str, way: str) -> Command | None:
    number = _read_number(target) if target else None
    if way.strip() not in ("up", "down", "left", "right") or (target and number is None):
        return None
    return Command(kind="scroll", target=number, text=way.strip())


def _read_drag(argument: str) -> Command | None:
    """From a number or place to another: a comma may also part the numbers of a place."""
    commas = [place for place, char in enumerate(argument[:100]) if char == ","]
    for comma in commas:
        begin, end = _read_end(argument[:comma]), _read_end(argument[comma + 1 :])
        if begin is not None and end is not None:
            return Command(kind="drag", target=begin, to=end)
    return None

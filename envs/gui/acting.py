"""Carries out a command on a page, and reads what the page then shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentgym.browser import Gesture, Tab
from agentgym.envs.gui.prompt import Command, Point
from agentgym.picture import Places, with_places
from agentgym.types import Json

SCRIPT = Path(__file__).with_name("page.js").read_text(encoding="utf-8")
"""What every page runs before its own scripts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a page shows."""

    lines: tuple[str, ...]
    numbers: frozenset[int]
    """What can be used."""
    focused: int | None
    entry: int
    """How many pages of this site came before, in the tab's history."""


LOOK = "__agentgym.observe()"
"""In a page: what it shows; numbers that it had before stay."""


def look(tab: Tab) -> View:
    """What the page shows now."""
    return view(tab.call(f"() => {LOOK}"))


def view(told: Mapping[str, Any]) -> View:
    """What `LOOK` told."""
    return View(
        lines=tuple(told["lines"]),
        numbers=frozenset(told["ids"]),
        focused=told["focused"],
        entry=told["entry"],
    )


def picture(tab: Tab) -> bytes:
    """The window as a PNG file, with the numbers drawn on it; it also says where they are."""
    told: Mapping[str, Any] = tab.call("() => __agentgym.mark()")
    boxes = {int(number): tuple(box) for number, box in told["boxes"]}
    try:
        return with_places(
            tab.picture(), Places(width=told["width"], height=told["height"], boxes=boxes)
        )
    finally:
        tab.call("() => __agentgym.unmark()")


def carry_out(tab: Tab, command: Command) -> tuple[str, ...]:
    """Do it; what went wrong or happened beside the page, in words."""
    if command.kind == "select":
        said = tab.call("([id, text]) => __agentgym.select(id, text)", [_id(command), command.text])
        return (said,) if said else tab.act()
    if command.kind == "scroll":
        said = tab.call("([id, way]) => __agentgym.scroll(id, way)", [_id(command), command.text])
        return (*((said,) if said else ()), *tab.act())
    if command.kind == "press":
        return tab.act(Gesture(kind="press", text=command.text))
    if command.kind == "back":
        return tab.act(Gesture(kind="back"))
    if command.kind == "type":
        said = tab.call("id => __agentgym.takes(id)", _id(command))
        if said:
            return (said,)
    begin = _locate(tab, command.target)
    if isinstance(begin, str):
        return (begin,)
    if command.kind == "drag":
        end = _locate(tab, command.to)
        if isinstance(end, str):
            return (end,)
        # To see the end, the page may have scrolled away from the beginning.
        begin = _locate(tab, command.target)
        if isinstance(begin, str):
            return (begin,)
        return tab.act(Gesture(kind="drag", x=begin.x, y=begin.y, to_x=end.x, to_y=end.y))
    click = Gesture(kind="click", x=begin.x, y=begin.y)
    if command.kind == "type":
        return _type(tab, command, click)
    return tab.act(click)


def _type(tab: Tab, command: Command, click: Gesture) -> tuple[str, ...]:
    """Click into the field, select what is in it, and write over it."""
    notes = tab.act(click)
    arguments: list[Json] = [_id(command), command.text]
    said = tab.call("([id, text]) => __agentgym.focus(id, text)", arguments)
    if said:
        return (*notes, said)
    if said is None:  # written already
        return (*notes, *tab.act())
    if not command.text:
        return (*notes, *tab.act(Gesture(kind="press", text="Delete")))
    return (*notes, *tab.act(Gesture(kind="type", text=command.text)))


def _id(command: Command) -> int | None:
    assert command.target is None or isinstance(command.target, int)
    return command.target


def _locate(tab: Tab, target: int | Point | None) -> Point | str:
    """Where to point at, or why nowhere."""
    if isinstance(target, Point):
        return target
    told = tab.call("id => __agentgym.locate(id)", target)
    return str(told["error"]) if "error" in told else Point(x=told["x"], y=told["y"])

"""Wraps text."""

from __future__ import annotations

import re

MARK = "..."


def wrap(text: str, width: int, *, first: str = "", rest: str = "") -> list[str]:
    """The lines of a text, none wider than the width.

    Paragraphs, apart by empty lines, are wrapped on their own, with an empty line between them.
    Words wider than a line are broken. `first` begins the first line of each paragraph, `rest` all
    others; both count for the width.
    """
    if width <= max(len(first), len(rest)):
        raise ValueError(f"a width of {width} leaves no room for a word")
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        if lines:
            lines.append("")
        lines += _paragraph(paragraph.split(), width, first, rest)
    return lines


def _paragraph(words: list[str], width: int, first: str, rest: str) -> list[str]:
    lines: list[str] = []
    line, begin = "", first
    for word in words:
        room = width - len(begin)
        if line and len(line) + 1 + len(word) <= room:
            line += f" {word}"
            continue
        if line:
            lines.append(begin + line)
            begin = rest
        line = word
        while len(line) > width - len(begin):
            room = width - len(begin)
            lines.append(begin + line[:room])
            line, begin = line[room:], rest
    if line:
        lines.append(begin + line)
    return lines


def shorten(text: str, width: int) -> str:
    """The text in one line; where it is too wide, as many whole words as fit, and three dots."""
    words = text.split()
    whole = " ".join(words)
    if len(whole) <= width:
        return whole
    if width < len(MARK):
        raise ValueError(f"a width of {width} leaves no room for {MARK!r}")
    kept = ""
    for word in words:
        longer = f"{kept} {word}" if kept else word
        if len(longer) + 1 + len(MARK) > width:
            break
        kept = longer
    return f"{kept} {MARK}" if kept else MARK

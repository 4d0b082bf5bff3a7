"""Reads settings: [section] heads, `key = value` lines, # comments, values that go on."""

from __future__ import annotations

from typing import Any

Settings = dict[str, Any]
WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def read_settings(text: str) -> Settings:
    """Nested settings; a head such as [a.b] puts what follows into "b" of "a".

    A line that is indented goes on with the value before it. A comment begins with a # at the start
    of a line or after white space, but not in quotes.
    """
    found: Settings = {}
    section, last = found, ""
    pieces: list[str] = []

    def finish() -> None:
        if last:
            section[last] = read_value(" ".join(pieces))

    for number, raw in enumerate(text.split("\n"), 1):
        line = strip_comment(raw)
        if not line.strip():
            continue
        if line[0].isspace() and last:
            pieces.append(line.strip())
            continue
        finish()
        last = ""
        if line.startswith("["):
            if not line.endswith("]"):
                raise ValueError(f"line {number}: a head without its ]")
            section = found
            for name in line[1:-1].split("."):
                section = section.setdefault(name.strip(), {})
            continue
        key, equals, value = line.partition("=")
        if not equals or not key.strip():
            raise ValueError(f"line {number}: neither a head nor a setting: {raw!r}")
        last, pieces = key.strip(), [value.strip()]
    finish()
    return found


def strip_comment(line: str) -> str:
    """The line without its comment and the white space at its end."""
    quoted = False
    for place, letter in enumerate(line):
        if letter == '"':
            quoted = not quoted
        if letter == "#" and not quoted and (place == 0 or line[place - 1].isspace()):
            return line[:place].rstrip()
    return line.rstrip()


def read_value(text: str) -> Any:
    """A quoted text, a word that stands for a truth, a number, a list in [], or the text."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1]
    if text.startswith("[") and text.endswith("]"):
        return [read_value(part.strip()) for part in text[1:-1].split(",") if part.strip()]
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text

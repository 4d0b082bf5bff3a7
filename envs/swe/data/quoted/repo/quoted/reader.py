"""Reads rows, one character after the other."""

from __future__ import annotations

from collections.abc import Iterator


def read_rows(text: str, delimiter: str = ",") -> Iterator[list[str]]:
    """The rows of a text.

    A field in quotes may hold delimiters and line ends, and a doubled quote stands for one. Empty
    lines are no rows. Nothing but a delimiter or an end of line may follow a closing quote.
    """
    row: list[str] = []
    field: list[str] = []
    state = "start"  # of a field; then "plain", "quoted", or "closed" after a closing quote
    place = 0
    text = text.replace("\r\n", "\n")
    while place < len(text):
        letter = text[place]
        place += 1
        if state == "quoted":
            if letter != '"':
                field.append(letter)
            elif text[place : place + 1] == '"':
                field.append('"')
                place += 1
            else:
                state = "closed"
        elif letter in (delimiter, "\n"):
            if letter == delimiter or row or state != "start":
                row.append("".join(field))
            field, state = [], "start"
            if letter == "\n" and row:
                yield row
                row = []
        elif letter == '"' and state == "start":
            state = "quoted"
        elif state == "closed":
            raise ValueError(f"{letter!r} after a closing quote, at {place - 1}")
        else:
            field.append(letter)
            state = "plain"
    if state == "quoted":
        raise ValueError("a quote that is not closed")
    if row or state != "start":
        yield [*row, "".join(field)]

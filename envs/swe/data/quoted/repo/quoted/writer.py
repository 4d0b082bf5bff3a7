"""Writes rows so that they can be read again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def write_rows(rows: Iterable[Sequence[str]], delimiter: str = ",") -> str:
    """The rows as text, a line end after each."""
    return "".join(
        delimiter.join(_field(each, delimiter, alone=len(row) == 1) for each in row) + "\n"
        for row in rows
    )


def _field(text: str, delimiter: str, *, alone: bool) -> str:
    """A field; an empty one that is alone in its row would be read as no row."""
    special = any(each in text for each in (delimiter, '"', "\n", "\r"))
    if special or (alone and not text):
        return '"' + text.replace('"', '""') + '"'
    return text

"""Sets rows of texts in columns."""

from __future__ import annotations

from collections.abc import Sequence

from folds.wrap import wrap


def columns(rows: Sequence[Sequence[str]], *, align: str = "", gap: str = "  ") -> list[str]:
    """The rows as lines; each column is as wide as its widest text.

    Args:
        align: a letter per column: l(eft), r(ight), c(entre, the odd space to the right). Columns
            without a letter are set left.
    """
    if not rows:
        return []
    num_columns = max(map(len, rows))
    padded = [[*row, *[""] * (num_columns - len(row))] for row in rows]
    widths = [max(len(row[place]) for row in padded) for place in range(num_columns)]
    letters = align.ljust(num_columns, "l")
    lines = []
    for row in padded:
        cells = [
            _set(text, width, letter)
            for text, width, letter in zip(row, widths, letters, strict=False)
        ]
        lines.append(gap.join(cells).rstrip())
    return lines


def _set(text: str, width: int, letter: str) -> str:
    if letter == "r":
        return text.rjust(width)
    if letter == "c":
        left = (width - len(text)) // 2
        return (" " * left + text).ljust(width)
    return text.ljust(width)


def definition_list(items: Sequence[tuple[str, str]], width: int) -> list[str]:
    """Terms and what they mean, wrapped beside each other."""
    indent = max((len(term) for term, _ in items), default=0) + 2
    lines = []
    for term, text in items:
        lines += wrap(text, width, first=term.ljust(indent), rest=" " * indent)
    return lines

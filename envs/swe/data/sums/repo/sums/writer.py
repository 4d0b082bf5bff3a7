"""Writes expressions."""

from __future__ import annotations

from typing import Any

from sums.parser import BINARY, NEGATION, RIGHT


def write(node: Any, least: int = 0) -> str:
    """The text of a tree, in brackets where it binds less tightly than it must."""
    kind, *rest = node
    if kind in ("number", "name"):
        return str(rest[0])
    if len(rest) == 1:
        text, binds = f"-{write(rest[0], NEGATION)}", NEGATION
    else:
        binds = BINARY[kind]
        left = write(rest[0], binds + (kind in RIGHT))
        right = write(rest[1], binds + (kind not in RIGHT))
        text = f"{left} {kind} {right}"
    return f"({text})" if binds < least else text

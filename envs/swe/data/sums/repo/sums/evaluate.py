"""Reckons expressions."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from sums.parser import Node, parse

OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
    "^": operator.pow,
}


def evaluate(text: str, names: Mapping[str, float] | None = None) -> float:
    """The value of an expression; whole numbers stay whole where they can."""
    return value_of(parse(text), names or {})


def value_of(node: Node, names: Mapping[str, float]) -> Any:
    """The value of a tree."""
    kind, *rest = node
    if kind == "number":
        return rest[0]
    if kind == "name":
        if rest[0] not in names:
            raise ValueError(f"unknown name {rest[0]!r}")
        return names[str(rest[0])]
    values = [value_of(each, names) for each in rest]  # type: ignore[arg-type]
    return -values[0] if len(values) == 1 else OPERATORS[str(kind)](*values)

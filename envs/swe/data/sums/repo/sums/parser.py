"""Reads expressions by precedence."""

from __future__ import annotations

import re

TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|([A-Za-z_]\w*)|(.))")
BINARY = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "^": 4}
NEGATION = 3
"""Binds tighter than a product and looser than a power: -2 ^ 2 is -(2 ^ 2)."""
RIGHT = {"^"}
"""Of two in a row the second is reckoned first."""

Node = tuple[object, ...]
"""("number", value), ("name", text), ("-", node) or (operator, left, right)."""


class Parser:
    """The tokens of a text, and how far they were read."""

    def __init__(self, text: str) -> None:
        self.tokens = [found.groups() for found in TOKEN.finditer(text.strip())]
        self.place = 0

    def peek(self) -> str | None:
        """The next sign; None where the next token is a number, a name or the end."""
        return self.tokens[self.place][2] if self.place < len(self.tokens) else None

    def operand(self) -> Node:
        """A number, a name, a negation, or an expression in brackets."""
        if self.place == len(self.tokens):
            raise ValueError("the expression ends too early")
        number, name, sign = self.tokens[self.place]
        self.place += 1
        if number is not None:
            return ("number", float(number) if "." in number else int(number))
        if name is not None:
            return ("name", name)
        if sign == "-":
            return ("-", self.expression(NEGATION))
        if sign == "(":
            inner = self.expression(1)
            if self.peek() != ")":
                raise ValueError("a bracket that is not closed")
            self.place += 1
            return inner
        raise ValueError(f"unexpected {sign!r}")

    def expression(self, least: int) -> Node:
        """The longest expression whose operators bind at least so tightly."""
        left = self.operand()
        while (sign := self.peek()) in BINARY and BINARY[sign] >= least:
            self.place += 1
            right = self.expression(BINARY[sign] + (sign not in RIGHT))
            left = (sign, left, right)
        return left


def parse(text: str) -> Node:
    """The tree of an expression."""
    parser = Parser(text)
    found = parser.expression(1)
    if parser.place < len(parser.tokens):
        raise ValueError(f"unexpected {text.strip()!r} after the expression")
    return found

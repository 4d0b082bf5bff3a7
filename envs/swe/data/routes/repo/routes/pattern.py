"""Patterns of paths: fixed parts, parameters such as {name} or {id:int}, and a rest {path*}."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

PARAMETER = re.compile(r"\{(?P<name>[a-z_]+)(?::(?P<kind>int|word))?(?P<rest>\*)?\}")
KINDS = {"int": re.compile(r"-?\d+"), "word": re.compile(r"\w+"), None: re.compile(r".+")}
FIXED, TYPED, ANY, REST = 0, 1, 2, 3


class Pattern:
    """A pattern, which says how special it is part by part: fixed, typed, any, rest."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.parts = [part for part in text.split("/") if part]
        self.found = [PARAMETER.fullmatch(part) for part in self.parts]
        for place, found in enumerate(self.found):
            if found and found["rest"] and place != len(self.parts) - 1:
                raise ValueError(f"{text}: a rest must come last")

    @property
    def rank(self) -> tuple[int, ...]:
        """Of two patterns for one path the smaller rank is the more special one."""
        ranks = []
        for found in self.found:
            if found is None:
                ranks.append(FIXED)
            elif found["rest"]:
                ranks.append(REST)
            else:
                ranks.append(TYPED if found["kind"] else ANY)
        return tuple(ranks)

    def match(self, path: str) -> dict[str, str | int] | None:
        """The parameters of a path; None where it is another."""
        parts = [unquote(part) for part in path.split("/") if part]
        values: dict[str, str | int] = {}
        for place, (pattern, found) in enumerate(zip(self.parts, self.found, strict=True)):
            if found and found["rest"]:
                values[found["name"]] = "/".join(parts[place:])
                return values if parts[place:] else None
            if place >= len(parts):
                return None
            if found is None:
                if parts[place] != pattern:
                    return None
            elif KINDS[found["kind"]].fullmatch(parts[place]) is None:
                return None
            else:
                value = parts[place]
                values[found["name"]] = int(value) if found["kind"] == "int" else value
        return values if len(parts) == len(self.parts) else None

    def build(self, **values: object) -> str:
        """The path with these parameters."""
        parts = []
        for part, found in zip(self.parts, self.found, strict=True):
            if found is None:
                parts.append(part)
            else:
                safe = "/" if found["rest"] else ""
                parts.append(quote(str(values[found["name"]]), safe=safe))
        return "/" + "/".join(parts)

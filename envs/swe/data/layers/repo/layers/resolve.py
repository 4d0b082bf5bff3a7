"""Puts values in the place of references: ${a.b} is the setting "b" of the section "a"."""

from __future__ import annotations

import re
from typing import Any

REFERENCE = re.compile(r"\$\{([\w.]+)\}")


def resolve(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings without references.

    A value that is a reference and nothing else has the type of what it names; in a longer text the
    reference is replaced by text.
    """

    def find(path: str, trail: tuple[str, ...]) -> Any:
        if path in trail:
            raise ValueError(f"references in a round: {' -> '.join((*trail, path))}")
        value: Any = settings
        for name in path.split("."):
            if not isinstance(value, dict) or name not in value:
                raise ValueError(f"unknown reference: {path}")
            value = value[name]
        return put(value, (*trail, path))

    def put(value: Any, trail: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            return {key: put(each, trail) for key, each in value.items()}
        if isinstance(value, list):
            return [put(each, trail) for each in value]
        if not isinstance(value, str):
            return value
        if alone := REFERENCE.fullmatch(value):
            return find(alone[1], trail)
        return REFERENCE.sub(lambda found: str(find(found[1], trail)), value)

    return put(settings, ())

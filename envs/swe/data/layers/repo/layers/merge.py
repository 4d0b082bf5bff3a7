"""Lays settings over settings."""

from __future__ import annotations

from typing import Any


def merge(*layers: dict[str, Any]) -> dict[str, Any]:
    """All settings; of a key in several layers the last one holds.

    Sections are merged, everything else is replaced. A key that ends in + adds to the list below
    it. None takes the key away. No layer is changed.
    """
    found: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = found.get(key)
            if value is None:
                found.pop(key, None)
            elif key.endswith("+"):
                name = key[:-1]
                found[name] = [*found.get(name, []), *value]
            elif isinstance(value, dict):
                found[key] = merge(below if isinstance(below, dict) else {}, value)
            else:
                found[key] = list(value) if isinstance(value, list) else value
    return found

"""WebShop's grammar of actions, by its own expression."""

from __future__ import annotations

import re


def parse(text: str) -> tuple[str, str] | None:
    found = re.match(r"(.+)\[(.+)\]", text)
    return None if found is None else (found.group(1), found.group(2))

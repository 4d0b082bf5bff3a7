"""What pydantic says of a bad recipe, in one line that names the key and the nearest right one."""

from __future__ import annotations

import difflib
import re
from typing import Any

from pydantic import BaseModel, ValidationError

from agentgym.errors import UsageError

UNION_MEMBER = re.compile(r"^literal\[|^constrained-|^(int|float|str)$")
"""How pydantic names the members of a union."""


def explain(error: ValidationError, model: type[BaseModel], *, prefix: str = "") -> UsageError:
    """The first problem in one line: the key, and the nearest known one or what is allowed.

    Args:
        model: what was validated.
        prefix: where it stands in the recipe, with a dot at its end.
    """
    first, *others = error.errors()
    keys = _keys(first)
    name = prefix + ".".join(keys)
    if first["type"] == "missing":
        return UsageError(f"'{name}' is missing")
    if first["type"] != "extra_forbidden":
        value = " ".join(repr(first["input"]).split())
        reasons = [first["msg"], *(each["msg"] for each in others if _keys(each) == keys)]
        return UsageError(f"'{name}' is {value}: {', or: '.join(reasons)}")
    known = _fields_at(model, keys[:-1])
    near = difflib.get_close_matches(keys[-1], known, n=1, cutoff=0.5)
    place = prefix + ".".join([*keys[:-1], ""])
    hint = f"did you mean '{place}{near[0]}'?" if near else "known: " + ", ".join(sorted(known))
    return UsageError(f"unknown key '{name}'; {hint}")


def _keys(problem: Any) -> list[str]:
    """Where a problem is; inside a union, pydantic also names the member, which is no key."""
    return [str(part) for part in problem["loc"] if UNION_MEMBER.search(str(part)) is None]


def _fields_at(model: Any, where: list[str]) -> list[str]:
    """The field names of the section at a path inside a model."""
    for part in where:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        options = [annotation, *getattr(annotation, "__args__", ())]
        sections = [o for o in options if isinstance(o, type) and issubclass(o, BaseModel)]
        if not sections:
            return []
        model = sections[-1]
    return list(model.model_fields)

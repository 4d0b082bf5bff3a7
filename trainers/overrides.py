"""Options of the command line as keys of a recipe."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import yaml

from agentgym.errors import UsageError
from agentgym.trainers.config import merge

EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")
"""Numbers such as 3e-4, which YAML reads as text."""


def parse_overrides(words: Iterable[str]) -> dict[str, Any]:
    """`["--train.steps", "20"]` as `{"train": {"steps": 20}}`; values are YAML.

    Raises:
        UsageError: a word is no option, or an option has no value.
    """
    tree: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            raise UsageError(f"'{word}' is not an option; options look like --train.steps 20")
        key, equals, value = word[2:].partition("=")
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise UsageError(f"option '{word}' needs a value")
            value = rest.pop(0)
        over: Any = _read_value(word, value)
        for part in reversed(key.split(".")):
            over = {part: over}
        tree = merge(tree, over)
    return tree


def _read_value(word: str, value: str) -> Any:
    try:
        read = yaml.safe_load(value)
    except yaml.YAMLError:
        raise UsageError(f"option '{word}': cannot read the value '{value}'") from None
    if isinstance(read, str) and EXPONENT.fullmatch(read):
        return float(read)
    return read

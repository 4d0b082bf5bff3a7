"""Strict YAML: a key stands once; of two, the second would win and nobody would know."""

from __future__ import annotations

from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = set()
        for key_node, _ in node.value:
            key = key_node.value
            if isinstance(key, str) and key in keys:
                what = f"key '{key}' stands there a second time"
                raise yaml.constructor.ConstructorError(None, None, what, key_node.start_mark)
            keys.add(key if isinstance(key, str) else id(key_node))
        return super().construct_mapping(node, deep=deep)


def load(text: str) -> Any:
    """What a YAML text holds.

    Raises:
        yaml.YAMLError: it is none, or a key stands there twice; it says in which line.
    """
    return yaml.load(text, Loader=_Loader)

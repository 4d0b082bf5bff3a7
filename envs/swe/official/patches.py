"""Patches: which files they change, as git reads them."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator

QUOTED = r'"(?:[^"\\\n]|\\[0-7]{3}|\\["\\abfnrtv])+"'
NAME = rf"({QUOTED}|[^\t\r\n]+)[^\n]*"
HEADS = (
    re.compile(rf"^--- {NAME}\n\+\+\+ {NAME}\n@@ ", re.MULTILINE),
    re.compile(r"^diff --git (a/(.+)) (b/\2)\r?$", re.MULTILINE),
    re.compile(r'^diff --git ("a/(.+)") ("b/\2")\r?$', re.MULTILINE),
)
"""The two names of a file whose lines change, and of one whose name stays; "a/" and "b/" go."""
MOVED = re.compile(rf"^(?:rename from|rename to|copy to) {NAME}$", re.MULTILINE)
NOTHING = "/dev/null"


def changed_files(patch: str) -> frozenset[str]:
    r"""The files that a patch changes, adds or removes, old and new names of moved ones included.

    >>> sorted(changed_files('--- a/x y.py\n+++ "b/\\"z\\".py"\n@@ -1 +1 @@\n-a\n+b\n'))
    ['"z".py', 'x y.py']
    """
    return frozenset(_names(patch))


def _names(patch: str) -> Iterator[str]:
    for head in HEADS:
        for found in head.finditer(patch):
            for name in (found[1], found[found.re.groups]):
                if name != NOTHING:
                    yield _plain(name).partition("/")[2]
    yield from (_plain(found[1]) for found in MOVED.finditer(patch))


def _plain(name: str) -> str:
    """A name without git's quotes, which hold bytes as C writes them."""
    if not re.fullmatch(QUOTED, name):
        return name
    # Python writes them alike. As Latin-1 each byte is a letter of its own.
    text: str = ast.literal_eval(name.encode().decode("latin-1"))
    return os.fsdecode(text.encode("latin-1"))

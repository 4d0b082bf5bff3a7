"""Text in the turns of a run's episodes: which texts contain it, and what stands around it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from agentgym.errors import UsageError
from agentgym.viewer.runs import Columns, OpenRun
from agentgym.viewer.texts import Numbers, Texts

SHOWN_HITS = 300
AROUND = 90
"""Characters shown on each side of a hit."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What one file has."""

    path: Path
    columns: Columns
    parts: tuple[tuple[Texts, Numbers], ...]
    """Texts, and the places of those that have it."""

    @property
    def count(self) -> int:
        """How many texts."""
        return sum(len(places) for _, places in self.parts)

    @property
    def episodes(self) -> int:
        """Of how many episodes."""
        return len({row for texts, places in self.parts for row in texts.rows[places].tolist()})

    def hits(self, wanted: str) -> Iterator[dict[str, Any]]:
        """Each with its place and what stands around it, turn by turn."""
        ordered = sorted(
            (texts.rows[place], texts.turns[place], number, place)
            for number, (texts, places) in enumerate(self.parts)
            for place in places
        )
        for row, turn, number, place in ordered:
            texts, _ = self.parts[number]
            yield {
                "file": self.path.stem,
                "group": self.columns["group"][row],
                "member": self.columns["member"][row],
                "turn": int(turn),
                "part": texts.part,
                **snippet(texts.texts[int(place)].as_py(), wanted),
            }


def search(opened: OpenRun, text: str) -> dict[str, Any]:
    """The texts of turns that contain a text, however its letters are cased.

    Files that cannot be read are left out, as they are from the table, which names them.

    Raises:
        UsageError: there is nothing to look for.
    """
    if not text:
        raise UsageError("there is no text to search for")
    files = opened.sound_files().items()
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:
        found = list(threads.map(lambda file: _in_file(opened, file[0], file[1], text), files))
    hits = (hit for each in found for hit in each.hits(text))
    return {
        "count": sum(each.count for each in found),
        "episodes": sum(each.episodes for each in found),
        "hits": list(islice(hits, SHOWN_HITS)),
    }


def snippet(text: str, wanted: str) -> dict[str, str]:
    """The first place where a text has the wanted one, and what stands around it."""
    match = re.search(re.escape(wanted), text, re.IGNORECASE)
    start, end = match.span() if match else (0, 0)
    left, right = max(0, start - AROUND), end + AROUND
    return {
        "before": ("..." if left else "") + text[left:start],
        "found": text[start:end],
        "after": text[end:right] + ("..." if right < len(text) else ""),
    }


def _in_file(opened: OpenRun, path: Path, columns: Columns, wanted: str) -> Found:
    import pyarrow.compute as pc

    parts = []
    for texts in opened.texts.of(path, columns):
        places = pc.indices_nonzero(pc.match_substring(texts.texts, wanted, ignore_case=True))
        if len(places):
            parts.append((texts, places.to_numpy().astype(np.int64)))
    return Found(path=path, columns=columns, parts=tuple(parts))

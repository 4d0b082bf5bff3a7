"""Text in the turns of a run's episodes: which texts contain it, and what stands around it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from agentgym.errors import StoreError, UsageError, boundary
from agentgym.viewer.runs import Columns, OpenRun

SHOWN_HITS = 300
AROUND = 90
"""Characters shown on each side of a hit."""
LEAVES = ("first.text", "turns.list.element.text", "turns.list.element.observation.text")
"""Actions are left out: they stand in the texts that they were read from."""
ERRORS = "error.message"
"""Read where there are errors: to open a column takes longer than to search it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one file has."""

    path: Path
    count: int
    episodes: int
    first: Any
    """The first hits as an Arrow table: group, member, turn, part, text."""


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
        found = list(threads.map(lambda file: _in_file(file[0], file[1], text), files))
    hits = (
        {"file": each.path.stem, **row, **snippet(row.pop("text"), text)}
        for each in found
        for row in each.first.to_pylist()
    )
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


def _in_file(path: Path, columns: Columns, wanted: str) -> Found:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    parts = []
    with suppress(StoreError):  # it may be gone since it was listed
        with boundary(StoreError, str(path)), pq.ParquetFile(path) as file:
            leaves = [*LEAVES, *([ERRORS] if any(columns["error"]) else [])]
            table = file.read(columns=leaves, use_threads=False).combine_chunks()
        for part, texts, rows, turns in _texts(table):
            places = pc.indices_nonzero(pc.match_substring(texts, wanted, ignore_case=True))
            if len(places):
                hits = {"row": rows.take(places), "turn": turns.take(places)}
                hits |= {"text": texts.take(places), "part": pa.repeat(part, len(places))}
                parts.append(pa.table(hits))
    if not parts:
        return Found(path=path, count=0, episodes=0, first=pa.table({}))
    found = pa.concat_tables(parts)
    first = found.sort_by([("row", "ascending"), ("turn", "ascending")]).slice(0, SHOWN_HITS)
    for name in ("group", "member"):
        first = first.append_column(name, pa.array(columns[name]).take(first.column("row")))
    episodes = pc.count_distinct(found.column("row")).as_py()
    return Found(path=path, count=len(found), episodes=episodes, first=first.drop_columns("row"))


def _texts(table: Any) -> Iterator[tuple[str, Any, Any, Any]]:
    """What texts are, and parallel to each other: the texts, their rows, their turns."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if table.num_rows == 0:
        return
    (turns,) = table.column("turns").chunks
    counts = pc.list_value_length(turns)
    rows = pc.list_parent_indices(turns)
    before = pc.subtract(pc.cumulative_sum(counts), counts).take(rows)
    numbers = pc.add(pc.subtract(pa.array(range(len(rows)), pa.int64()), before), 1)
    flat = pc.list_flatten(turns)
    all_rows = pa.array(range(table.num_rows), pa.int64())
    starts = pa.nulls(table.num_rows, pa.int64()).fill_null(0)
    (first,) = table.column("first").chunks
    yield "observation", pc.struct_field(first, "text"), all_rows, starts
    yield "text", pc.struct_field(flat, "text"), rows, numbers
    yield "observation", pc.struct_field(flat, ["observation", "text"]), rows, numbers
    if "error" in table.column_names:
        (error,) = table.column("error").chunks
        yield "error", pc.struct_field(error, "message"), all_rows, counts.cast(pa.int64())

"""The texts in a run's episode files, as far as they fit kept in memory for the next search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from agentgym.errors import StoreError, boundary

KEPT_BYTES = 200_000_000
"""Read texts stay in memory up to this size: to read them takes longer than to search them."""
LEAVES = ("first.text", "turns.list.element.text", "turns.list.element.observation.text")
"""Actions are left out: they stand in the texts that they were read from."""
ERRORS = "error.message"
"""Read where there are errors: to open a column takes longer than to search it."""
Columns: TypeAlias = Mapping[str, list[Any]]
Numbers: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Texts:
    """The texts of one kind in a file."""

    part: str
    """Which text of a turn: "text", "observation" or "error"."""
    texts: Any
    """An Arrow array of strings."""
    rows: Numbers
    """The episode of each text, as its place in the file; parallel to `texts`."""
    turns: Numbers
    """Likewise the turn, from 1; 0 is the first observation."""


class TextMemory:
    """What was read of files' texts."""

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[Columns, tuple[Texts, ...]]] = {}

    def of(self, path: Path, columns: Columns) -> tuple[Texts, ...]:
        """The texts of a file; nothing where it cannot be read.

        Args:
            columns: those that a table shows of the file. They are others once it has changed.
        """
        known, texts = self._kept.get(path, (None, ()))
        if known is not columns:
            texts = tuple(_read(path, columns))
            self._kept.pop(path, None)
            if sum(_size(each) for _, each in list(self._kept.values())) < KEPT_BYTES:
                self._kept[path] = columns, texts
        return texts


def _size(texts: tuple[Texts, ...]) -> int:
    return sum(each.texts.nbytes for each in texts)


def _read(path: Path, columns: Columns) -> Iterator[Texts]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if not columns["group"]:
        return
    with_errors = any(columns["error"])
    with suppress(StoreError):  # it may be gone since it was listed
        with boundary(StoreError, str(path)), pq.ParquetFile(path, pre_buffer=False) as file:
            leaves = [*LEAVES, *([ERRORS] if with_errors else [])]
            table = file.read(columns=leaves, use_threads=False).combine_chunks()
        first, turns = (table.column(name).chunk(0) for name in ("first", "turns"))
        starts = turns.offsets.to_numpy().astype(np.int64)
        counts = np.diff(starts)
        episodes = np.arange(len(counts))
        rows = np.repeat(episodes, counts)
        numbers = np.arange(len(rows)) - np.repeat(starts[:-1], counts) + 1
        flat = turns.flatten()
        seen = pc.struct_field(flat, ["observation", "text"])
        opening = pc.struct_field(first, "text")
        at_first = np.zeros_like(episodes)
        yield Texts(part="observation", texts=opening, rows=episodes, turns=at_first)
        yield Texts(part="text", texts=pc.struct_field(flat, "text"), rows=rows, turns=numbers)
        yield Texts(part="observation", texts=seen, rows=rows, turns=numbers)
        if with_errors:
            messages = pc.struct_field(table.column("error").chunk(0), "message")
            yield Texts(part="error", texts=messages, rows=episodes, turns=counts)

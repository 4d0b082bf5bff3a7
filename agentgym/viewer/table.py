"""One row per episode, from the few columns of an episode file that a table shows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from agentgym import store
from agentgym.errors import StoreError, boundary

PLAIN = (
    "step", "group", "member", "task_id", "env", "status", "success", "score", "policy_version",
)  # fmt: skip
"""Columns of the file that are shown as they are."""
LEAVES = (
    "advantages",
    "error.type",
    "turns.list.element.reward",
    "turns.list.element.invalid",
    "turns.list.element.action_ids",
)
"""What the other columns are made of. Read by name, the rest of `turns`, most of the file, is never
decoded: DuckDB's views would decode it, and were seven times slower."""
COLUMNS = (*PLAIN, "error", "turns", "tokens", "invalid", "reward", "advantage", "largest")
"""`advantage` is the mean over turns, `largest` the one furthest from 0; None without credit."""


def file_columns(path: Path) -> dict[str, list[Any]]:
    """The columns of one file, parallel to each other.

    Raises:
        StoreError: it is missing, torn, altered, or of another version.
    """
    import pyarrow.parquet as pq

    store.check_parquet(path)
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    with boundary(StoreError, str(path)), pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(columns=[*PLAIN, *LEAVES]):
            for name in PLAIN:
                columns[name] += batch.column(name).to_pylist()
            for name, values in _derived(batch):
                columns[name] += values
    return columns


def _derived(batch: Any) -> Iterator[tuple[str, list[Any]]]:
    turns = batch.column("turns")
    slices = list(pairwise(turns.offsets.to_pylist()))
    rewards = turns.values.field("reward").to_pylist()
    invalid = turns.values.field("invalid").is_valid().to_pylist()
    tokens = turns.values.field("action_ids").value_lengths().to_pylist()
    advantages = batch.column("advantages").to_pylist()
    yield "error", [error and error["type"] for error in batch.column("error").to_pylist()]
    yield "turns", [end - start for start, end in slices]
    yield "tokens", [sum(tokens[start:end]) for start, end in slices]
    yield "invalid", [sum(invalid[start:end]) for start, end in slices]
    yield "reward", [sum(rewards[start:end]) for start, end in slices]
    yield "advantage", [sum(each) / len(each) if each else None for each in advantages]
    yield "largest", [max(each, key=abs) if each else None for each in advantages]

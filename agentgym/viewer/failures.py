"""What went wrong in a run: alike failures together, ours apart from the model's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentgym.errors import StoreError, boundary
from agentgym.types import Status
from agentgym.viewer.runs import OpenRun

LEAVES = (
    "group", "member", "status", "error.type", "error.phase", "error.message",
    "turns.list.element.invalid",
)  # fmt: skip
VARYING = re.compile(r"0x[0-9a-f]+|\d+", re.IGNORECASE)
"""What differs between messages that say the same: numbers and addresses."""
DETAIL_CHARS = 400


@dataclass(slots=True, kw_only=True)
class Kind:
    """Failures that are alike, and the first of them."""

    ours: bool
    what: str
    detail: str
    file: str
    group: int
    member: int
    turn: int
    """From 1; the last one where it was the end that failed."""
    episodes: int = 0
    turns: int = 0
    """Of those that are counted by the turn."""


def failures(opened: OpenRun, chosen: set[tuple[str, int, int]] | None = None) -> dict[str, Any]:
    """The kinds of failure, the most frequent first, and of how many episodes.

    Args:
        chosen: file, group and member of the episodes to look at; None takes them all.
    """
    kinds: dict[tuple[bool, str, str], Kind] = {}
    episodes = 0
    for path in opened.sound_files():
        for row in _rows(path):
            if chosen is not None and (path.stem, row["group"], row["member"]) not in chosen:
                continue
            episodes += 1
            for key, kind, turns in _of_episode(path.stem, row):
                known = kinds.setdefault(key, kind)
                known.episodes += 1
                known.turns += turns
    ordered = sorted(kinds.values(), key=lambda kind: -kind.episodes)
    names = Kind.__dataclass_fields__
    return {
        "episodes": episodes,
        "kinds": [{name: getattr(kind, name) for name in names} for kind in ordered],
    }


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    try:
        with boundary(StoreError, str(path)), pq.ParquetFile(path) as file:
            rows: list[dict[str, Any]] = file.read(columns=list(LEAVES)).to_pylist()
    except StoreError:  # it went since it was listed
        return
    yield from rows


def _of_episode(
    file: str, row: dict[str, Any]
) -> Iterator[tuple[tuple[bool, str, str], Kind, int]]:
    """What is wrong with one episode: a key for what is alike, a kind of its own, and turns."""
    status, error = Status(row["status"]), row["error"]
    invalid = [turn["invalid"] for turn in row["turns"]]
    place = {"file": file, "group": row["group"], "member": row["member"]}
    if status is not Status.SUCCESS:
        detail = f"{error['type']} in {error['phase']}: {error['message']}" if error else ""
        kind = Kind(
            ours=not status.trainable,
            what=str(status),
            detail=detail[:DETAIL_CHARS],
            turn=len(invalid),
            **place,
        )
        yield (kind.ours, kind.what, VARYING.sub("#", kind.detail)), kind, 0
    for reason in dict.fromkeys(each for each in invalid if each is not None):
        turn = invalid.index(reason) + 1
        kind = Kind(ours=False, what="invalid turn", detail=reason, turn=turn, **place)
        yield (False, kind.what, reason), kind, invalid.count(reason)

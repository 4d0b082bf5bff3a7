"""A run that a reader opened: its table and its groups, read again when files change."""

from __future__ import annotations

import hashlib
import math
import re
import shlex
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

from agentgym.errors import StoreError, UsageError
from agentgym.picture import PNG, find_places
from agentgym.store import Run
from agentgym.types import Episode, Group, Observation, Turn
from agentgym.viewer.pieces import token_texts
from agentgym.viewer.provenance import told
from agentgym.viewer.table import COLUMNS, file_columns
from agentgym.viewer.texts import TextMemory

Stamp: TypeAlias = tuple[int, int]
Columns: TypeAlias = dict[str, list[Any]]
KEPT_FILES = 2
"""Episode files whose groups stay in memory: the one being read, and the one before."""


class OpenRun:
    """One run, with what was read from its files so far."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._read: dict[Path, tuple[Stamp, Columns | str]] = {}
        """The columns of each episode file, or what is wrong with it."""
        self._reading = threading.Lock()
        """So that two who ask at once do not both read all."""
        self.texts = TextMemory()

    def about(self) -> dict[str, Any]:
        """What the run is: its name, and what its folder says of where it comes from."""
        return {
            "name": self.run.folder.resolve().name,
            "replay": f"agentgym replay {shlex.quote(str(self.run.folder))}",
            "provenance": [(title, self.here(text)) for title, text in told(self.run)],
        }

    def table(self, after: str = "", *, seconds: float = math.inf) -> dict[str, Any]:
        """Episodes as columns, and one line for each file that cannot be read.

        Args:
            after: the `next` of an earlier answer: only what came later is given. Where what was
                given is no longer what stands there, all is given `anew`.
            seconds: how long to read; if there is `more`, ask again.
        """
        files = self._files()
        count, _, mark = after.partition("-")
        given = int(count) if count.isdecimal() else 0
        is_there = self.run.folder.is_dir()
        if anew := mark != _mark(files, given, is_there):
            given = 0
        columns: Columns = {name: [] for name in ("file", *COLUMNS)}
        problems: list[str] = []
        if anew and not is_there:
            problems.append(f"{self.run.folder}: this run's folder was deleted or moved")
        until = time.monotonic() + seconds
        for path in list(files)[given:]:
            found = self._columns(path, files[path])
            if isinstance(found, str):
                problems.append(self.here(found))
            else:
                columns["file"] += [path.stem] * len(found["step"])
                for name in COLUMNS:
                    columns[name] += found[name]
            given += 1
            if time.monotonic() > until:
                break
        return {
            "columns": columns,
            "problems": problems,
            "anew": anew,
            "more": given < len(files),
            "next": f"{given}-{_mark(files, given, is_there)}",
        }

    def sound_files(self) -> dict[Path, Columns]:
        """The files that can be read, in the order of the run, each with its columns."""
        found = {path: self._columns(path, now) for path, now in self._files().items()}
        return {path: each for path, each in found.items() if not isinstance(each, str)}

    def _files(self) -> dict[Path, Stamp]:
        return {path: _stamp(path) for path in sorted(self.run.files(), key=_in_order)}

    def _columns(self, path: Path, now: Stamp) -> Columns | str:
        with self._reading:
            if path not in self._read or self._read[path][0] != now:
                try:
                    self._read[path] = now, file_columns(path)
                except (StoreError, OSError) as error:  # it may be gone since it was listed
                    return str(error)
            return self._read[path][1]

    def here(self, message: str) -> str:
        """A message with paths as they are called inside the run."""
        return message.replace(f"{self.run.folder}/", "")

    def groups(self, name: str) -> tuple[Group, ...]:
        """The groups of an episode file.

        Raises:
            UsageError: there is no such file.
            StoreError: it cannot be read.
        """
        for path in self.run.files():
            if path.stem == name:
                return _groups(self.run, name, stamp(path))
        return self.run.groups(name)  # which says what there is

    def find_group(self, name: str, group: int) -> tuple[int, Group]:
        """A group by its number, and before it its place in the file.

        Raises:
            UsageError: the file has no such group.
        """
        for place, found in enumerate(self.groups(name)):
            if found.episodes[0].id.group == group:
                return place, found
        raise UsageError(f"'{name}' has no group {group}")

    def group(self, name: str, group: int) -> dict[str, Any]:
        """A group with every turn of its members, and the texts of its tokens."""
        _, found = self.find_group(name, group)
        return {
            "file": name,
            "group": group,
            "groups": [each.episodes[0].id.group for each in self.groups(name)],
            "task_id": found.task_id,
            "members": [_episode(episode) for episode in found.episodes],
            "pieces": token_texts(self.run, found.episodes),
        }

    def picture(self, name: str, group: int, *, member: int, turn: int) -> bytes:
        """The PNG file of an observation; turn 0 has that of `reset`.

        Raises:
            UsageError: there is none.
        """
        _, found = self.find_group(name, group)
        for episode in found.episodes:
            seen = [episode.first, *(each.observation for each in episode.turns)]
            if episode.id.member == member and turn < len(seen):
                observation = seen[turn]
                if observation is not None and is_png(observation.image):
                    return observation.image
        raise UsageError(f"'{name}' has no picture at group={group}/member={member}/turn={turn}")


def _in_order(path: Path) -> tuple[int, str]:
    """In the order of the run: an evaluation is that of the model before the step of its number."""
    number = re.search(r"-(\d+)", path.stem)
    return int(number[1]) if number else -1, path.stem


def _mark(files: Mapping[Path, Stamp], given: int, is_there: bool) -> str:
    """What the first so many files were when they were read, and whether the run was there."""
    state = repr((list(files.items())[:given], is_there))
    return hashlib.sha256(state.encode()).hexdigest()[:16]


def _stamp(path: Path) -> Stamp:
    """As `stamp`; of a file that has just gone, nothing."""
    with suppress(OSError):
        return stamp(path)
    return (0, 0)


def stamp(path: Path) -> Stamp:
    """What changes when a file is written again."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=KEPT_FILES)
def _groups(run: Run, name: str, _: Stamp) -> tuple[Group, ...]:
    return run.groups(name)


def _episode(episode: Episode) -> dict[str, Any]:
    names = (
        "success", "score", "valid", "env", "policy_version", "panel_hash",
        "system_prompt", "advantages", "token_advantages", "facts",
    )  # fmt: skip
    return {
        **{name: getattr(episode, name) for name in names},
        "member": episode.id.member,
        "seed": str(episode.seed),  # JavaScript's numbers would round it
        "status": str(episode.status),
        "error": episode.error and asdict(episode.error),
        "first": episode.first and _observation(episode.first),
        "turns": [_turn(turn) for turn in episode.turns],
    }


def _turn(turn: Turn) -> dict[str, Any]:
    shown = {name: getattr(turn, name) for name in Turn.__dataclass_fields__}
    return shown | {
        "observation": _observation(turn.observation),
        "channels": dict(turn.channels),
    }


def _observation(observation: Observation) -> dict[str, Any]:
    image = observation.image
    places = find_places(image) if is_png(image) else None
    return asdict(observation) | {"image": is_png(image), "places": places and asdict(places)}


def is_png(image: bytes | None) -> TypeGuard[bytes]:
    """Whether a browser may be told that this is a picture."""
    return image is not None and image.startswith(PNG)

"""A run that a reader opened: its table and its groups, read again when files change."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

from agentgym.errors import StoreError, UsageError
from agentgym.store import Run
from agentgym.types import Episode, Group, Observation, Turn
from agentgym.viewer.pieces import token_texts
from agentgym.viewer.table import COLUMNS, file_columns

Stamp: TypeAlias = tuple[int, int]
Columns: TypeAlias = dict[str, list[Any]]
PNG = b"\x89PNG\r\n\x1a\n"
KEPT_FILES = 2
"""Episode files whose groups stay in memory: the one being read, and the one before."""


class OpenRun:
    """One run, with what was read from its files so far."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._read: dict[Path, tuple[Stamp, Columns | str]] = {}
        """The columns of each episode file, or what is wrong with it."""

    def about(self) -> dict[str, Any]:
        """What the run is: the name of its folder, and its recipe as it stands there."""
        try:
            recipe = (self.run.folder / "config.yaml").read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            recipe = f"config.yaml cannot be read: {self.here(str(error))}"
        return {"name": self.run.folder.resolve().name, "recipe": recipe}

    def table(self) -> dict[str, Any]:
        """All episodes as columns, and one line for each file that cannot be read."""
        self._read = {path: self._columns(path) for path in self.run.files()}
        columns: Columns = {name: [] for name in ("file", *COLUMNS)}
        problems = []
        for path, (_, found) in self._read.items():
            if isinstance(found, str):
                problems.append(self.here(found))
                continue
            columns["file"] += [path.stem] * len(found["step"])
            for name in COLUMNS:
                columns[name] += found[name]
        return {"columns": columns, "problems": problems}

    def _columns(self, path: Path) -> tuple[Stamp, Columns | str]:
        now = (0, 0)
        try:
            now = stamp(path)
            if path in self._read and self._read[path][0] == now:
                return self._read[path]
            return now, file_columns(path)
        except (StoreError, OSError) as error:  # it may be gone since it was listed
            return now, str(error)

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
                if observation is not None and _is_png(observation.image):
                    return observation.image
        raise UsageError(f"'{name}' has no picture at group={group}/member={member}/turn={turn}")


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
        "system_prompt", "advantages", "token_advantages",
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
    return asdict(observation) | {"image": _is_png(observation.image)}


def _is_png(image: bytes | None) -> TypeGuard[bytes]:
    """Whether a browser may be told that this is a picture."""
    return image is not None and image.startswith(PNG)

"""Episodes as Parquet files, one per train step or evaluation, and DuckDB views over a run.

A file is complete or invisible: written to a temporary name, synced, its digest beside it,
renamed. A corrupt one is named, skipped and reported, and costs nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentgym.errors import StoreError
from agentgym.panel import Panel
from agentgym.types import (
    Episode,
    EpisodeId,
    ErrorInfo,
    Group,
    Observation,
    Status,
    Task,
    Turn,
)

if TYPE_CHECKING:
    import duckdb
    import pyarrow

SCHEMA_VERSION = "1"
ROW_GROUP_EPISODES = 64


def _schema() -> pyarrow.Schema:
    import pyarrow as pa

    text, number, integer, binary = pa.string(), pa.float64(), pa.int64(), pa.binary()
    observation = pa.struct({"text": text, "choices": pa.list_(text), "key": text})
    turn = pa.struct(
        {
            "segment": pa.int32(),
            "prompt_ids": pa.list_(pa.int32()),
            "action_ids": pa.list_(pa.int32()),
            "logprobs": pa.list_(number),
            "finish": text,
            "text": text,
            "action": text,
            "invalid": text,
            "observation": observation,
            "reward": number,
            "channels": pa.map_(text, number),
            "values": pa.list_(number),
            "seconds": number,
        }
    )
    columns: dict[str, Any] = {
        "step": pa.int32(),
        "group": pa.int32(),
        "member": pa.int32(),
        "task_id": text,
        "panel_hash": text,
        "env": text,
        "seed": integer,
        "system_prompt": text,
        "first": observation,
        "turns": pa.list_(turn),
        "images": pa.list_(binary),
        "status": text,
        "score": number,
        "success": pa.bool_(),
        "policy_version": pa.int32(),
        "error": pa.struct({"type": text, "phase": text, "message": text}),
        "advantages": pa.list_(number),
    }
    return pa.schema(columns, metadata={"agentgym.schema": SCHEMA_VERSION})


def _plain(text: str | None) -> str | None:
    """The text as valid UTF-8; lone surrogates, which Parquet cannot hold, become '?'."""
    return None if text is None else text.encode("utf-8", "replace").decode("utf-8")


def _shown(observation: Observation) -> dict[str, Any]:
    choices = observation.choices
    return {
        "text": _plain(observation.text),
        "choices": None if choices is None else [_plain(choice) for choice in choices],
        "key": _plain(observation.key),
    }


def _seen(row: Mapping[str, Any], image: bytes | None) -> Observation:
    choices = row["choices"]
    return Observation(
        text=row["text"],
        choices=None if choices is None else tuple(choices),
        image=image,
        key=row["key"],
    )


def to_row(episode: Episode) -> dict[str, Any]:
    """The episode as one Parquet row; pictures in a column of their own, first, then per turn."""
    turns = []
    for turn in episode.turns:
        row = {name: getattr(turn, name) for name in Turn.__dataclass_fields__}
        row["observation"] = _shown(turn.observation)
        row["channels"] = list(turn.channels.items())
        row |= {name: _plain(row[name]) for name in ("text", "action", "invalid")}
        turns.append(row)
    first = episode.first
    images = [first.image if first else None] + [t.observation.image for t in episode.turns]
    names = ("task_id", "panel_hash", "env", "seed", "system_prompt", "score", "success")
    return {
        **{name: getattr(episode, name) for name in names},
        "step": episode.id.step,
        "group": episode.id.group,
        "member": episode.id.member,
        "first": _shown(first) if first else None,
        "turns": turns,
        "images": images,
        "status": str(episode.status),
        "policy_version": episode.policy_version,
        "error": asdict(episode.error) if episode.error else None,
        "advantages": episode.advantages,
    }


def _turn(row: Mapping[str, Any], image: bytes | None) -> Turn:
    values = row["values"]
    return Turn(
        segment=row["segment"],
        prompt_ids=tuple(row["prompt_ids"]),
        action_ids=tuple(row["action_ids"]),
        logprobs=tuple(row["logprobs"]),
        finish=row["finish"],
        text=row["text"],
        action=row["action"],
        invalid=row["invalid"],
        observation=_seen(row["observation"], image),
        reward=row["reward"],
        channels=dict(row["channels"]),
        values=None if values is None else tuple(values),
        seconds=row["seconds"],
    )


def from_row(row: Mapping[str, Any]) -> Episode:
    """The episode of one Parquet row: the inverse of `to_row`."""
    images = row["images"]
    advantages = row["advantages"]
    names = ("task_id", "panel_hash", "env", "seed", "system_prompt", "score", "success")
    return Episode(
        **{name: row[name] for name in names},
        id=EpisodeId(step=row["step"], group=row["group"], member=row["member"]),
        first=_seen(row["first"], images[0]) if row["first"] is not None else None,
        turns=tuple(
            _turn(turn, image) for turn, image in zip(row["turns"], images[1:], strict=True)
        ),
        status=Status(row["status"]),
        policy_version=row["policy_version"],
        error=ErrorInfo(**row["error"]) if row["error"] is not None else None,
        advantages=None if advantages is None else tuple(advantages),
    )


def write_file(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file whole: temporary name, sync, rename, sync of the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    write_file(path, lambda target: _put_text(target, text))


def _put_text(target: Path, text: str) -> None:
    target.write_text(text, encoding="utf-8")


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _digest_path(path: Path) -> Path:
    return path.with_suffix(path.suffix + ".sha256")


def write_parquet(path: Path, rows: list[dict[str, Any]], schema: pyarrow.Schema) -> None:
    """Write rows whole, their digest first, so that a visible file always has one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist(rows, schema=schema)

    def write(target: Path) -> None:
        pq.write_table(table, target, compression="zstd", row_group_size=ROW_GROUP_EPISODES)
        write_text(_digest_path(path), f"{digest_of(target)}  {path.name}\n")

    write_file(path, write)


def read_parquet(path: Path) -> list[dict[str, Any]]:
    """The rows of a file whose digest holds.

    Raises:
        StoreError: the file is missing, torn, altered, or of another version.
    """
    import pyarrow.parquet as pq

    try:
        stated = _digest_path(path).read_text(encoding="utf-8").split()[0]
        if stated != digest_of(path):
            raise StoreError(f"{path}: the digest beside it does not match; the file is damaged")
        table = pq.read_table(path)
    except (OSError, IndexError, ValueError) as error:
        raise StoreError(f"{path}: {type(error).__name__}: {error}") from error
    version = (table.schema.metadata or {}).get(b"agentgym.schema", b"none").decode()
    if version != SCHEMA_VERSION:
        raise StoreError(f"{path}: schema version {version}, this program reads {SCHEMA_VERSION}")
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def write_episodes(path: Path, episodes: Iterable[Episode]) -> None:
    """Write one file of episodes, in the order of their ids."""
    ordered = sorted(episodes, key=lambda episode: episode.id)
    write_parquet(path, [to_row(episode) for episode in ordered], _schema())


def read_episodes(path: Path) -> tuple[Episode, ...]:
    """The episodes of one file.

    Raises:
        StoreError: as `read_parquet`.
    """
    return tuple(from_row(row) for row in read_parquet(path))


def write_panel(path: Path, panel: Panel) -> None:
    """Store a panel: the tasks of a run, secrets included."""
    import pyarrow as pa

    text = pa.string()
    columns: dict[str, Any] = {"id": text, "split": text, "seed": pa.int64()}
    columns |= {"public": text, "secret": text}
    metadata = {"agentgym.schema": SCHEMA_VERSION, "panel": panel.name, "env": panel.env}
    rows = [
        {
            "id": task.id,
            "split": task.split,
            "seed": task.seed,
            "public": json.dumps(task.public, sort_keys=True),
            "secret": json.dumps(task.secret, sort_keys=True),
        }
        for task in panel.tasks
    ]
    write_parquet(path, rows, pa.schema(columns, metadata=metadata))


def read_tasks(path: Path) -> dict[str, Task]:
    """The tasks of a stored panel, by id.

    Raises:
        StoreError: as `read_parquet`.
    """
    return {
        row["id"]: Task(
            id=row["id"],
            split=row["split"],
            seed=row["seed"],
            public=json.loads(row["public"]),
            secret=json.loads(row["secret"]),
        )
        for row in read_parquet(path)
    }


class Run:
    """A run's folder: `open` it to read its episodes, metrics and report."""

    def __init__(self, folder: Path) -> None:
        """Point at a run.

        Raises:
            StoreError: the folder is not there.
        """
        if not folder.is_dir():
            raise StoreError(f"no run at '{folder}'")
        self.folder = folder

    def files(self) -> tuple[Path, ...]:
        """The episode files, train steps and evaluations, by name."""
        return tuple(sorted((self.folder / "episodes").glob("*.parquet")))

    def sound_files(self) -> tuple[tuple[Path, ...], tuple[str, ...]]:
        """The readable episode files, and one message for each that is not."""
        good, bad = [], []
        for path in self.files():
            try:
                stated = _digest_path(path).read_text(encoding="utf-8").split()[:1]
            except OSError as error:
                bad.append(f"{path}: {error}")
                continue
            if stated == [digest_of(path)]:
                good.append(path)
            else:
                bad.append(f"{path}: the digest beside it does not match; the file is damaged")
        return tuple(good), tuple(bad)

    def groups(self, name: str) -> tuple[Group, ...]:
        """The groups of one episode file, such as `step-000003` or `eval-before-sampled`.

        Raises:
            StoreError: there is no such file, or it is damaged.
        """
        members: dict[int, list[Episode]] = {}
        for episode in read_episodes(self.folder / "episodes" / f"{name}.parquet"):
            members.setdefault(episode.id.group, []).append(episode)
        return tuple(
            Group(task_id=episodes[0].task_id, episodes=tuple(episodes))
            for _, episodes in sorted(members.items())
        )

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl`; a torn last line is left out."""
        path = self.folder / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        rows = []
        for line in lines:
            with suppress(json.JSONDecodeError):
                rows.append(json.loads(line))
        return rows

    def report(self) -> dict[str, Any]:
        """`report.json`.

        Raises:
            StoreError: the run has none yet.
        """
        path = self.folder / "report.json"
        if not path.exists():
            raise StoreError(f"no report in '{self.folder}': the run has not ended")
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return report

    def connect(self) -> duckdb.DuckDBPyConnection:
        """An in-memory DuckDB with the views `episodes` and `turns` over the sound files.

        `episodes` has every column but pictures and a `file`; `turns` has one row per turn.

        Raises:
            StoreError: no episode file is readable.
        """
        import duckdb

        good, bad = self.sound_files()
        if not good:
            raise StoreError("\n".join(bad) or f"no episodes in '{self.folder}'")
        connection = duckdb.connect()
        paths = ", ".join("'" + str(path).replace("'", "''") + "'" for path in good)
        connection.execute(
            "CREATE VIEW episodes AS SELECT parse_filename(filename, true) AS file, "
            "* EXCLUDE (images, filename), len(turns) AS num_turns "
            f"FROM read_parquet([{paths}], filename=true)"
        )
        connection.execute(
            'CREATE VIEW turns AS SELECT file, step, "group", member, task_id, status, '
            "i AS turn, advantages[i] AS advantage, unnest(turns[i]) FROM "
            "(SELECT *, unnest(range(1, len(turns) + 1)) AS i FROM episodes)"
        )
        return connection


def open(folder: str | Path) -> Run:
    """A run's folder, to read from."""
    return Run(Path(folder))

"""Episodes as Parquet files, one per train step or evaluation, and DuckDB views over a run.

A file is complete or invisible: written to a temporary name, synced, its digest beside it,
renamed. A corrupt one is named, skipped and reported, and costs nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentgym.errors import StoreError, UsageError, span, unknown
from agentgym.panel import Panel
from agentgym.rows import SCHEMA_VERSION, from_row, schema, to_row
from agentgym.types import Episode, Group, Task

if TYPE_CHECKING:
    import duckdb
    import pyarrow

ROW_GROUP_EPISODES = 64
STEP_FILE = re.compile(r"step-(\d+)")
"""The name, without its ending, of the episodes of a train step."""
TEMPORARY = re.compile(r"\.(?P<name>.+)\.\d+\.tmp")
"""What `write_file` writes to before it renames; a process that is killed then leaves it behind."""


def write_file(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file whole: temporary name, sync, rename, sync of the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        _sync(temporary)
        os.replace(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    _sync(path.parent)


def write_folder(path: Path, write: Callable[[Path], None]) -> None:
    """Write a folder whole, in place of what is there: as `write_file`, with all that is in it."""
    temporary = path.with_name(f".{path.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        write(temporary)
        for part in [*temporary.rglob("*"), temporary]:
            _sync(part)
        shutil.rmtree(path, ignore_errors=True)
        os.replace(temporary, path)
        _sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sync(path: Path) -> None:
    """Wait until a file or a folder's entries are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
        path.unlink(missing_ok=True)  # beside the new digest an old file would look damaged
        write_text(_digest_path(path), f"{digest_of(target)}  {path.name}\n")

    write_file(path, write)


def check_parquet(path: Path) -> pyarrow.Schema:
    """The schema of a file whose digest holds.

    Raises:
        StoreError: the file is missing, torn, altered, or of another version.
    """
    import pyarrow.parquet as pq

    try:
        stated = _digest_path(path).read_text(encoding="utf-8").split()[:1]
        if stated != [digest_of(path)]:
            raise StoreError(f"{path}: the digest beside it does not match; the file is damaged")
        schema = pq.read_schema(path)
    except (OSError, ValueError) as error:  # Arrow's and Unicode's are ValueErrors
        raise StoreError(f"{path}: {type(error).__name__}: {error}") from error
    version = (schema.metadata or {}).get(b"agentgym.schema", b"none").decode()
    if version != SCHEMA_VERSION:
        raise StoreError(f"{path}: schema version {version}, this program reads {SCHEMA_VERSION}")
    return schema


def is_sound(path: Path) -> bool:
    """Whether `check_parquet` has nothing to say against a file."""
    try:
        check_parquet(path)
    except StoreError:
        return False
    return True


def read_parquet(path: Path) -> list[dict[str, Any]]:
    """The rows of a file.

    Raises:
        StoreError: as `check_parquet`.
    """
    import pyarrow.parquet as pq

    check_parquet(path)
    with pq.ParquetFile(path) as file:
        rows: list[dict[str, Any]] = file.read().to_pylist()
    return rows


def write_episodes(path: Path, episodes: Iterable[Episode]) -> None:
    """Write one file of episodes, in the order of their ids."""
    ordered = sorted(episodes, key=lambda episode: episode.id)
    write_parquet(path, [to_row(episode) for episode in ordered], schema())


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


def read_panel(path: Path) -> Panel:
    """A stored panel, with the name, the order and so the hash that it had.

    Raises:
        StoreError: as `check_parquet`.
    """
    metadata = check_parquet(path).metadata
    tasks = (
        Task(
            id=row["id"],
            split=row["split"],
            seed=row["seed"],
            public=json.loads(row["public"]),
            secret=json.loads(row["secret"]),
        )
        for row in read_parquet(path)
    )
    return Panel(
        name=metadata[b"panel"].decode(), env=metadata[b"env"].decode(), tasks=tuple(tasks)
    )


class Run:
    """A run's folder: `open` it to read its episodes, metrics and report."""

    def __init__(self, folder: Path) -> None:
        """Point at a run.

        Raises:
            UsageError: the folder is not there.
        """
        if not folder.is_dir():
            raise UsageError(f"no run at '{folder}'")
        self.folder = folder

    def files(self) -> tuple[Path, ...]:
        """The episode files, train steps and evaluations, by name."""
        return tuple(sorted((self.folder / "episodes").glob("*.parquet")))

    def steps(self) -> tuple[int, ...]:
        """The train steps whose episodes are stored, in order."""
        return tuple(sorted(self._step_files()))

    def step_file(self, step: int) -> str:
        """The episode file of a train step, without its ending.

        Raises:
            UsageError: it is not stored; the message says which are.
        """
        names = self._step_files()
        if step not in names:
            stored = span(sorted(names))
            raise UsageError(f"no train step {step} in '{self.folder}'; stored: {stored}")
        return names[step]

    def _step_files(self) -> dict[int, str]:
        matches = (STEP_FILE.fullmatch(path.stem) for path in self.files())
        return {int(match[1]): match[0] for match in matches if match}

    def sound_files(self) -> tuple[tuple[Path, ...], tuple[str, ...]]:
        """The readable episode files, and one message for each that is not."""
        good, bad = [], []
        for path in self.files():
            try:
                check_parquet(path)
            except StoreError as error:
                bad.append(str(error))
            else:
                good.append(path)
        return tuple(good), tuple(bad)

    def groups(self, name: str) -> tuple[Group, ...]:
        """The groups of one episode file, such as `step-000003` or `eval-000000-greedy`.

        Raises:
            UsageError: there is no such file; the message names the nearest.
            StoreError: it is damaged, or there is no file at all.
        """
        names = [path.stem for path in self.files()]
        if not names:
            raise StoreError(f"no episodes in '{self.folder}'")
        if name not in names:
            raise unknown("episode file", name, names)
        members: dict[int, list[Episode]] = {}
        for episode in read_episodes(self.folder / "episodes" / f"{name}.parquet"):
            members.setdefault(episode.id.group, []).append(episode)
        return tuple(
            Group(task_id=episodes[0].task_id, episodes=tuple(episodes))
            for _, episodes in sorted(members.items())
        )

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl`; a last line that a kill tore is left out.

        Raises:
            StoreError: another line cannot be read.
        """
        path = self.folder / "metrics.jsonl"
        lines = path.read_bytes().splitlines() if path.exists() else []
        rows = []
        for number, line in enumerate(lines, start=1):
            try:
                rows.append(json.loads(line))
            except ValueError as error:  # Unicode's is one
                if number < len(lines):
                    raise StoreError(f"{path}: line {number} is no JSON: {error}") from error
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

    def connect(
        self, found: tuple[tuple[Path, ...], tuple[str, ...]] | None = None
    ) -> duckdb.DuckDBPyConnection:
        """An in-memory DuckDB with the views `episodes` and `turns` over the sound files.

        `episodes` has every column but pictures and a `file`; `turns` has one row per turn.

        Args:
            found: what `sound_files` gave, for it reads every file; None asks it.

        Raises:
            StoreError: no episode file is readable.
        """
        import duckdb

        good, bad = found or self.sound_files()
        if not good:
            raise StoreError("\n".join(bad) or f"no episodes in '{self.folder}'")
        connection = duckdb.connect()
        paths = ", ".join(_quoted(path) for path in good)
        connection.execute(
            "CREATE VIEW episodes AS SELECT parse_filename(filename, true) AS file, "
            "* EXCLUDE (images, filename), len(turns) AS num_turns "
            f"FROM read_parquet([{paths}], filename=true, hive_partitioning=false, "
            "union_by_name=true)"
        )
        connection.execute(
            'CREATE VIEW turns AS SELECT file, step, "group", member, task_id, status, '
            "i AS turn, advantages[i] AS advantage, unnest(turns[i]) FROM "
            "(SELECT *, unnest(range(1, len(turns) + 1)) AS i FROM episodes)"
        )
        return connection


def _quoted(path: Path) -> str:
    """The path as a DuckDB string that stands for this one file, whatever is in its name."""
    return "'" + re.sub(r"([*?[])", r"[\1]", str(path)).replace("'", "''") + "'"


def open(folder: str | Path) -> Run:
    """A run's folder, to read from."""
    return Run(Path(folder))

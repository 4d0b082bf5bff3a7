"""The store: episodes come back as they were, and a file is complete or invisible."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from any_episode import any_episode
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import episode, turn

from agentgym import store
from agentgym.envs.toys.lookup import Lookup
from agentgym.errors import StoreError, UsageError
from agentgym.rows import schema, to_row
from agentgym.types import Episode, EpisodeId, ErrorInfo, Observation


def numbered(step: int, group: int, member: int, *, score: float | None = 1.0) -> Episode:
    """A small episode with that id, of two turns."""
    found = episode([turn("go", "a"), turn(None, "b")], score)
    advantages = None if score is None else (0.5, -float(member))
    where = EpisodeId(step=step, group=group, member=member)
    return replace(found, id=where, task_id=f"task {group}", advantages=advantages)


def small_run(folder: Path) -> store.Run:
    """A run of two steps: two groups of two members each, one of which failed."""
    for step in range(2):
        episodes = [
            numbered(step, group, member, score=None if (group, member) == (1, 1) else 1.0)
            for group in range(2)
            for member in range(2)
        ]
        store.write_episodes(folder / "episodes" / f"step-{step:06d}.parquet", episodes)
    return store.open(folder)


@settings(max_examples=60)
@given(episodes=st.lists(any_episode(), max_size=4, unique_by=lambda e: e.id))
def test_episodes_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, episodes: list[Episode]
) -> None:
    path = tmp_path_factory.mktemp("store") / "episodes.parquet"
    store.write_episodes(path, episodes)
    assert list(store.read_episodes(path)) == sorted(episodes, key=lambda e: e.id)


def test_files_of_before_there_were_other_samplers_are_read(tmp_path: Path) -> None:
    path, expected = tmp_path / "old.parquet", numbered(0, 0, 0)
    rows = [to_row(expected)]
    later = ("temperature", "kept")
    for row in rows[0]["turns"]:
        for name in later:
            del row[name]
    place = schema().get_field_index("turns")
    kept = [field for field in schema().field(place).type.value_type if field.name not in later]
    old = schema().set(place, pa.field("turns", pa.list_(pa.struct(kept))))
    store.write_parquet(path, rows, old)
    assert store.read_episodes(path) == (expected,)


def test_files_of_before_there_were_facts_are_read_and_queried_beside_others(
    tmp_path: Path,
) -> None:
    old, new = numbered(0, 0, 0), replace(numbered(1, 0, 0), facts={"resolved": 1.0})
    folder = tmp_path / "episodes"
    store.write_episodes(folder / "step-000001.parquet", [new])
    rows, place = [to_row(old)], schema().get_field_index("facts")
    del rows[0]["facts"]
    store.write_parquet(folder / "step-000000.parquet", rows, schema().remove(place))
    assert store.read_episodes(folder / "step-000000.parquet") == (old,)
    query = "SELECT facts FROM episodes ORDER BY step"
    assert store.open(tmp_path).connect().sql(query).fetchall() == [(None,), ('{"resolved": 1.0}',)]


def test_lone_surrogates_become_question_marks_wherever_they_stand(tmp_path: Path) -> None:
    odd = "a\ud800b"
    seen = Observation(text=odd, choices=(odd,), key=odd, state=odd)
    spoken = replace(turn("x", "y"), text=odd, action=odd, invalid=None, observation=seen)
    found = replace(
        episode([spoken], None, first="z"),
        system_prompt=odd,
        task_id=odd,
        first=seen,
        error=ErrorInfo(type="E", phase="reset", message=odd),
    )
    path = tmp_path / "odd.parquet"
    store.write_episodes(path, [found])
    (read,) = store.read_episodes(path)
    plain = Observation(text="a?b", choices=("a?b",), key="a?b")
    assert read == replace(
        found,
        system_prompt="a?b",
        task_id="a?b",
        first=plain,
        turns=(replace(spoken, text="a?b", action="a?b", observation=plain),),
        error=ErrorInfo(type="E", phase="reset", message="a?b"),
    )


def test_groups_are_the_episodes_of_a_file_by_group(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    groups = run.groups("step-000001")
    assert [group.task_id for group in groups] == ["task 0", "task 1"]
    assert [len(group.episodes) for group in groups] == [2, 2]
    assert [len(group.valid) for group in groups] == [2, 1]
    with pytest.raises(UsageError, match="'step-000011'; did you mean 'step-0000"):
        run.groups("step-000011")


def test_train_steps_are_found_by_number_and_named_where_they_are_not(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    for name in ("eval-000007-greedy", "step-x", "step-000003-more", "step-10"):
        store.write_episodes(tmp_path / "episodes" / f"{name}.parquet", [])
    assert run.steps() == (0, 1, 10)
    assert [run.step_file(step) for step in (1, 10)] == ["step-000001", "step-10"]
    with pytest.raises(UsageError, match=r"no train step 7 in '.*'; stored: 0 to 10$"):
        run.step_file(7)
    with pytest.raises(UsageError, match=r"no train step 0 in '.*'; stored: none$"):
        store.Run(tmp_path.parent).step_file(0)


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run at .*nothing"):
        store.open(tmp_path / "nothing")
    with pytest.raises(StoreError, match="no episodes in"):
        store.open(tmp_path).connect()
    with pytest.raises(StoreError, match="the run has not ended"):
        store.open(tmp_path).report()


def digest_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def sign(path: Path) -> None:
    """Make the digest hold again."""
    digest_path(path).write_text(store.digest_of(path))


def flip(path: Path, place: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 1
    path.write_bytes(data)


def write_version(path: Path, version: bytes) -> None:
    metadata = {b"agentgym.schema": version} if version else {}
    table = pq.read_table(path).replace_schema_metadata(metadata)
    pq.write_table(table, path)
    sign(path)


def write_garbage(path: Path) -> None:
    path.write_bytes(b"PAR1 no more")
    sign(path)


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "first bit flipped": (lambda path: flip(path, 0.0), "does not match"),
    "a bit in the middle flipped": (lambda path: flip(path, 0.5), "does not match"),
    "last bit flipped": (lambda path: flip(path, 1.0), "does not match"),
    "torn": (lambda path: path.write_bytes(path.read_bytes()[:-100]), "does not match"),
    "emptied": (lambda path: path.write_bytes(b""), "does not match"),
    "digest lost": (lambda path: digest_path(path).unlink(), "FileNotFoundError"),
    "digest emptied": (lambda path: digest_path(path).write_bytes(b""), "does not match"),
    "digest flipped": (lambda path: flip(digest_path(path), 0.1), "does not match"),
    "digest no text": (lambda path: digest_path(path).write_bytes(b"\xff\xfe"), "Unicode"),
    "of an earlier version": (lambda path: write_version(path, b"1"), "schema version 1"),
    "of a later version": (lambda path: write_version(path, b"999"), "schema version 999"),
    "of no version": (lambda path: write_version(path, b""), "schema version none"),
    "no parquet": (write_garbage, "Arrow|Parquet"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_and_skipped_and_costs_no_other(
    tmp_path: Path, damage: str
) -> None:
    run = small_run(tmp_path)
    bad, good = run.files()
    harm, said = DAMAGES[damage]
    harm(bad)
    with pytest.raises(StoreError, match=said) as caught:
        run.groups(bad.stem)
    assert str(bad) in str(caught.value)
    assert not store.is_sound(bad)
    sound, complaints = run.sound_files()
    assert sound == (good,)
    (complaint,) = complaints
    assert str(bad) in complaint
    assert "\n" not in complaint
    assert run.connect().execute("SELECT DISTINCT step FROM episodes").fetchall() == [(1,)]
    assert len(run.groups(good.stem)) == 2


def test_two_files_swapped_are_both_found_out(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    one, two = run.files()
    contents = one.read_bytes(), two.read_bytes()
    one.write_bytes(contents[1])
    two.write_bytes(contents[0])
    assert run.sound_files()[0] == ()
    with pytest.raises(StoreError, match=r"step-000000.*\n.*step-000001"):
        run.connect()


@pytest.mark.parametrize("name", ["plain", "a [1] 'b' *?", "lr=3", "ünïcode 🚪"])
def test_views_show_episodes_and_turns_whatever_the_folder_is_called(
    tmp_path: Path, name: str
) -> None:
    connection = small_run(tmp_path / name).connect()
    rows = connection.execute(
        'SELECT file, step, "group", member, status, score, num_turns FROM episodes ORDER BY ALL'
    ).fetchall()
    assert rows == [
        (f"step-{step:06d}", step, group, member, *end, 2)
        for step in range(2)
        for group, member, end in (
            (0, 0, ("failure", 1.0)),
            (0, 1, ("failure", 1.0)),
            (1, 0, ("failure", 1.0)),
            (1, 1, ("infra_error", None)),
        )
    ]
    columns = connection.execute("SELECT * FROM episodes").description
    assert {column[0] for column in columns or ()} == {
        *set(schema().names) - {"images"}, "file", "num_turns",
    }  # fmt: skip
    turns = connection.execute(
        'SELECT turn, action, invalid, advantage, observation.key FROM turns WHERE step = 1 AND "'
        'group" = 0 AND member = 1 ORDER BY turn'
    ).fetchall()
    assert turns == [(1, "go", None, 0.5, "a"), (2, None, "no action", -1.0, "b")]


def test_other_programs_read_the_files(tmp_path: Path) -> None:
    """Parquet by pyarrow alone: a row an episode, and pictures apart from the turns."""
    path = small_run(tmp_path).files()[0]
    table = pq.read_table(path)
    assert table.num_rows == 4
    assert table.schema.field("turns").type.value_type.field("action_ids").type == pa.list_(
        pa.int32()
    )
    names = [field.name for field in table.schema.field("turns").type.value_type]
    assert "images" in table.schema.names
    assert "image" not in names


def test_row_groups_hold_at_most_64_episodes(tmp_path: Path) -> None:
    path = tmp_path / "many.parquet"
    store.write_episodes(path, [numbered(0, group, 0) for group in range(130)])
    metadata = pq.ParquetFile(path).metadata
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert sizes == [64, 64, 2]


def test_a_panel_comes_back_with_its_hash(tmp_path: Path) -> None:
    panel = Lookup.panel("gen1/unseen").head(5)
    store.write_panel(tmp_path / "panel.parquet", panel)
    read = store.read_panel(tmp_path / "panel.parquet")
    assert (read.name, read.env, read.hash) == (panel.name, panel.env, panel.hash)
    assert read.get(panel.tasks[3].id).secret == {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in panel.tasks[3].secret.items()
    }


def test_a_torn_last_line_of_metrics_is_left_out(tmp_path: Path) -> None:
    rows = [{"step": step, "success": step / 3} for step in range(3)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    for length in range(len(text) - 20, len(text) + 1):
        (tmp_path / "metrics.jsonl").write_text(text[:length])
        read = store.open(tmp_path).metrics()
        assert read == rows[: len(read)]
        assert len(read) >= 2


@pytest.mark.parametrize("harm", [b'{"step": 1', b"", b"\xff\xfe", b"\x00\x00"])
def test_any_other_unreadable_line_of_metrics_is_named(tmp_path: Path, harm: bytes) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 0}\n' + harm + b'\n{"step": 2}\n')
    with pytest.raises(StoreError, match=r"metrics\.jsonl: line 2 is no JSON"):
        store.open(tmp_path).metrics()
    path.write_bytes(b'{"step": 0}\n' + harm)
    assert store.open(tmp_path).metrics() == [{"step": 0}]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from test_store import numbered
from agentgym import store

CALLS = ("open", "os.rename", "os.remove", "os.mkdir")

def write(folder, point):
    left = [point]
    def hook(event, arguments):
        if event in CALLS and str(folder) in str(arguments):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    store.write_episodes(folder / "episodes" / "new.parquet", [numbered(7, 0, 0)])
    os._exit(0)

for folder in sorted(Path(sys.argv[1]).iterdir()):
    child = os.fork()
    if child == 0:
        write(folder, int(folder.name))
    (folder / "status").write_text(str(os.waitpid(child, 0)[1]))
"""
"""Forks a child for every folder; the child dies at the call that the folder's name counts to."""


@pytest.mark.parametrize("overwrites", [False, True])
def test_a_kill_at_any_call_of_a_write_leaves_the_old_file_or_the_new_or_none(
    tmp_path: Path, overwrites: bool
) -> None:
    folders = [tmp_path / f"{point:02}" for point in range(16)]
    for folder in folders:
        (folder / "episodes").mkdir(parents=True)
        if overwrites:
            store.write_episodes(folder / "episodes" / "new.parquet", [numbered(1, 0, 0)])
    here = Path(__file__).parent
    code = [sys.executable, "-c", KILLED, str(tmp_path), str(here), str(here.parent)]
    subprocess.run(code, check=True, timeout=60)
    statuses = [int((folder / "status").read_text()) for folder in folders]
    num_kills = statuses.count(9)
    assert statuses == [9] * num_kills + [0] * (16 - num_kills)
    assert 6 <= num_kills < 16
    seen = []
    for folder in folders:
        run = store.open(folder)
        sound, complaints = run.sound_files()
        assert complaints == ()
        seen.append([e.id.step for path in sound for e in store.read_episodes(path)])
    assert seen[0] == ([1] if overwrites else [])
    assert seen[-1] == [7]
    assert all(steps in ([], [1], [7]) for steps in seen)
    assert seen == sorted(seen, key=lambda steps: {(): 1, (1,): 0, (7,): 2}[tuple(steps)])


@contextmanager
def files_of_at_most(num_bytes: int) -> Iterator[None]:
    """A disk that is full: no file of this process may grow further."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_loud_and_leaves_what_was_there(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    path = run.files()[0]
    before = path.read_bytes()
    with files_of_at_most(1000), pytest.raises(OSError, match="(?i)file too large|write"):
        store.write_episodes(path, [numbered(0, group, 0) for group in range(200)])
    with files_of_at_most(10), pytest.raises(OSError, match="(?i)file too large"):
        store.write_text(tmp_path / "note.txt", "x" * 1000)
    assert path.read_bytes() == before
    assert store.is_sound(path)
    assert not [p for p in tmp_path.rglob("*") if "tmp" in p.name or "note" in p.name]


def test_a_copied_run_is_read_like_the_first(tmp_path: Path) -> None:
    run = small_run(tmp_path / "one")
    copy = store.open(shutil.copytree(run.folder, tmp_path / "two"))
    assert copy.groups("step-000000") == run.groups("step-000000")

"""What the server says of a run: its episodes, its credit, and what is wrong with it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from any_episode import any_episode
from graph_groups import S1
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import episode, turn
from served import ask, get, whole_table
from starlette.responses import Response
from stored_runs import by_seed, write_run
from viewed_runs import Runs
from walked_groups import walked_groups

from agentgym import registry, store
from agentgym.cli import main
from agentgym.errors import StoreError, UsageError
from agentgym.rows import SCHEMA_VERSION
from agentgym.trainers import offline
from agentgym.types import Episode, EpisodeId, Group, Observation
from agentgym.viewer.app import as_json
from agentgym.viewer.credit import credit, graph
from agentgym.viewer.failures import failures
from agentgym.viewer.runs import OpenRun
from agentgym.viewer.search import search

GROUP = "/api/runs/0/files/step-000001/groups/2"
PNG = b"\x89PNG\r\n\x1a\n and the rest"


def write(folder: Path, *episodes: Episode) -> OpenRun:
    store.write_episodes(folder / "episodes" / "step-000000.parquet", episodes)
    return OpenRun(store.open(folder))


def read(answer: Response) -> Any:
    return json.loads(bytes(answer.body))


def test_the_table_says_what_duckdb_says(stored: Path) -> None:
    table = OpenRun(store.open(stored)).table()
    columns = table["columns"]
    names = ("file", "step", "group", "member", "task_id", "status", "score", "turns", "tokens")
    shown = list(zip(*(columns[name] for name in names), strict=True))
    asked = (
        store.open(stored)
        .connect()
        .execute(
            'SELECT file, step, "group", member, task_id, status, score, num_turns, '
            "coalesce(list_sum([len(t.action_ids) for t in turns]), 0) FROM episodes ORDER BY ALL"
        )
    )
    assert shown == asked.fetchall()
    assert table["problems"] == []


@settings(max_examples=15)
@given(episodes=st.lists(any_episode(), max_size=4, unique_by=lambda e: (e.id.group, e.id.member)))
def test_any_episode_can_be_shown(
    tmp_path_factory: pytest.TempPathFactory, episodes: list[Episode]
) -> None:
    opened = write(tmp_path_factory.mktemp("any"), *episodes)
    columns = opened.table()["columns"]
    ordered = sorted(episodes, key=lambda e: e.id)
    assert columns["reward"] == [sum(t.reward for t in e.turns) for e in ordered]
    assert columns["invalid"] == [sum(t.invalid is not None for t in e.turns) for e in ordered]
    assert columns["error"] == [e.error and e.error.type for e in ordered]
    for each in episodes:
        shown = read(as_json(opened.group("step-000000", each.id.group)))
        (member,) = (m for m in shown["members"] if m["member"] == each.id.member)
        assert [turn["text"] for turn in member["turns"]] == [turn.text for turn in each.turns]


def test_numbers_that_json_lacks_are_named() -> None:
    answer = as_json({"a": [float("nan"), 1.5], "b": (float("inf"), -float("inf"))})
    assert read(answer) == {"a": ["NaN", 1.5], "b": ["Infinity", "-Infinity"]}


def test_a_group_is_shown_as_it_was_stored(port: int, stored: Path) -> None:
    shown = get(port, GROUP)
    group = store.open(stored).groups("step-000001")[2]
    assert [m["member"] for m in shown["members"]] == [e.id.member for e in group.episodes]
    assert shown["groups"] == [0, 1, 2, 3]
    for member, each in zip(shown["members"], group.episodes, strict=True):
        assert [t["text"] for t in member["turns"]] == [t.text for t in each.turns]
        assert [t["reward"] for t in member["turns"]] == [t.reward for t in each.turns]
        advantages = None if each.advantages is None else list(each.advantages)
        assert member["advantages"] == advantages


@pytest.fixture(scope="module")
def walked() -> list[Group]:
    """Groups as an engine played them."""
    groups = walked_groups(1)
    scores = {episode.score for each in groups for episode in each.episodes}
    assert scores == {0.0, 1.0}, "groups of equal outcomes would prove nothing"
    return groups


@pytest.mark.parametrize("name", tuple(registry.credits))
def test_credit_recomputed_is_what_was_trained(
    tmp_path: Path, name: str, walked: list[Group]
) -> None:
    write_run(tmp_path, lambda step: by_seed(step) if step == 0 else walked, name=name)
    opened = OpenRun(store.open(tmp_path))
    for file in ("step-000000", "step-000001"):
        for number, group in enumerate(opened.groups(file)):
            found = credit(opened, file, number, scheme=None)
            assert (found["scheme"], found["difference"]) == (name, 0.0)
            assert (
                read(as_json(found))["constants"].keys()
                == registry.credits.get(name).model_fields.keys()
            )
            assert found["says"] and "Source" not in found["says"]
            for each in group.valid:
                member = found["members"][each.id.member]
                assert tuple(member["advantages"]) == each.advantages
                assert set(member["differences"]) <= {0.0}
        assert any(e.advantages and any(e.advantages) for g in opened.groups(file) for e in g.valid)


def test_altered_credit_does_not_pass_the_check(tmp_path: Path) -> None:
    run = write_run(tmp_path, by_seed)
    (path, _) = run.files()
    episodes = list(store.read_episodes(path))
    place = next(i for i, e in enumerate(episodes) if e.advantages)
    advantages = episodes[place].advantages or ()
    episodes[place] = replace(episodes[place], advantages=(advantages[0] + 0.25, *advantages[1:]))
    store.write_episodes(path, episodes)
    found = credit(OpenRun(run), path.stem, 0, scheme=None)
    assert found["difference"] == pytest.approx(0.25)


def test_another_scheme_and_its_graph_are_those_of_the_command_line(
    port: int, stored: Path
) -> None:
    run = store.open(stored)
    recipe = offline.read_recipe(run)
    scheme = offline.make_scheme(recipe, "gigpo", {})
    shown = get(port, f"{GROUP}/credit?scheme=gigpo")
    (column,) = offline.compare(run, recipe, [scheme], 1).columns
    assert shown["difference"] == column.differences.max()
    data, _, _ = offline.graph_of(run, recipe, scheme, 1, 2)
    drawn = get(port, f"{GROUP}/graph?scheme=gigpo")
    assert [edge["turns"] for edge in drawn["edges"]] == [
        [list(pair) for pair in edge.turns] for edge in data.edges
    ]


def test_a_scheme_that_reads_what_was_not_recorded_says_so(tmp_path: Path) -> None:
    opened = OpenRun(write_run(tmp_path, lambda step: [S1]))
    with pytest.raises(UsageError, match="reads 'values', which this run did not record"):
        credit(opened, "step-000000", 0, scheme="turn_gae")


def test_reading_a_run_never_calls_what_the_run_names(tmp_path: Path) -> None:
    write_run(tmp_path, by_seed)
    path = tmp_path / "config.yaml"
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    victim = tmp_path / "touched"
    recipe["credit"] = {"name": "subprocess:Popen", "args": ["touch", str(victim)]}
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    opened = OpenRun(store.open(tmp_path))
    for scheme in (None, "salt", "subprocess:Popen"):
        for find in (credit, graph):
            with pytest.raises(UsageError, match="not registered here, so it is not run"):
                find(opened, "step-000000", 0, scheme=scheme)
    assert not victim.exists()


@pytest.mark.parametrize("keys", ["subprocess:call", {"model": "some-model"}])
def test_reading_a_run_loads_no_keys_that_the_run_names(tmp_path: Path, keys: object) -> None:
    write_run(tmp_path, by_seed)
    path = tmp_path / "config.yaml"
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    recipe["credit"] = {"name": "salt", "action_keys": keys}
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    opened = OpenRun(store.open(tmp_path))
    for scheme in (None, "salt"):
        with pytest.raises(UsageError, match="names code or a model for its action_keys"):
            credit(opened, "step-000000", 0, scheme=scheme)
    assert credit(opened, "step-000000", 0, scheme="grpo")


def test_a_damaged_file_is_named_and_costs_nothing_else(port: int) -> None:
    run = f"/api/runs/{Runs.DAMAGED:d}"
    table = whole_table(port, Runs.DAMAGED)
    damaged, later = table["problems"]
    assert damaged.startswith("episodes/step-000000.parquet: the digest beside it")
    assert later.startswith("episodes/step-000002.parquet: schema version 99")
    assert set(table["columns"]["file"]) == {"step-000001"}
    status, _, body = ask(port, f"{run}/files/step-000000/groups/0")
    assert status == 503
    assert "episodes/step-000000.parquet" in json.loads(body)["error"]
    assert get(port, f"{run}/files/step-000001/groups/2/credit")["difference"] == 0.0
    assert {hit["file"] for hit in get(port, f"{run}/search?text=seen")["hits"]} == {"step-000001"}
    assert get(port, f"{run}/failures")["episodes"] == len(table["columns"]["file"])


def test_a_file_whose_digest_holds_but_whose_content_is_odd_is_named(tmp_path: Path) -> None:
    import pyarrow as pa

    path = tmp_path / "episodes" / "step-000000.parquet"
    schema = pa.schema({"step": pa.int64()}, metadata={"agentgym.schema": SCHEMA_VERSION})
    store.write_parquet(path, [{"step": 1}], schema)
    opened = OpenRun(store.open(tmp_path))
    (problem,) = opened.table()["problems"]
    assert problem.startswith("episodes/step-000000.parquet: ")


def test_new_files_appear_and_lost_ones_go(tmp_path: Path) -> None:
    write_run(tmp_path, by_seed)
    first = tmp_path / "episodes" / "step-000000.parquet"
    kept = first.rename(tmp_path / "kept")
    opened = OpenRun(store.open(tmp_path))
    assert set(opened.table()["columns"]["file"]) == {"step-000001"}
    kept.rename(first)
    assert set(opened.table()["columns"]["file"]) == {"step-000000", "step-000001"}
    last = opened.table()["next"]
    shutil.rmtree(tmp_path)
    gone = opened.table(last)
    assert (gone["anew"], gone["columns"]["file"]) == (True, [])
    assert gone["problems"] == [f"{tmp_path}: this run's folder was deleted or moved"]
    assert opened.table(gone["next"])["problems"] == []  # said once
    assert (search(opened, "seen")["count"], failures(opened)["episodes"]) == (0, 0)
    with pytest.raises(StoreError, match="no episodes in"):
        opened.group("step-000000", 0)


def columns_of(*parts: dict[str, Any]) -> list[tuple[str, int]]:
    """File and group of each row."""
    columns = [part["columns"] for part in parts]
    return [pair for each in columns for pair in zip(each["file"], each["group"], strict=True)]


def test_a_table_read_in_parts_is_the_whole_table(stored: Path) -> None:
    whole = OpenRun(store.open(stored)).table()
    opened = OpenRun(store.open(stored))
    first = opened.table(seconds=0)
    second = opened.table(first["next"], seconds=0)
    assert (whole["more"], first["more"], second["more"]) == (False, True, False)
    assert (first["anew"], second["anew"]) == (True, False)
    assert columns_of(first, second) == columns_of(whole)
    assert columns_of(opened.table(second["next"])) == []


def test_after_a_file_that_was_given_has_changed_all_is_given_anew(tmp_path: Path) -> None:
    write_run(tmp_path, by_seed)
    opened = OpenRun(store.open(tmp_path))
    last = opened.table()["next"]
    path = tmp_path / "episodes" / "step-000000.parquet"
    store.write_episodes(path, store.read_episodes(path)[:3])
    again = opened.table(last)
    assert (again["anew"], columns_of(again)) == (True, columns_of(opened.table()))
    for odd in ("nonsense", "9-", "-1-x", "\u0661-x"):
        assert opened.table(odd)["anew"]


def test_rows_come_in_the_order_of_the_run(tmp_path: Path) -> None:
    names = (
        "eval-000000-greedy",
        "step-000000",
        "step-000001",
        "eval-000002-greedy",
        "judge-000002",
    )
    for name in reversed(names):
        store.write_episodes(
            tmp_path / "episodes" / f"{name}.parquet", [episode([turn("a", "b")], 1.0)]
        )
    assert OpenRun(store.open(tmp_path)).table()["columns"]["file"] == list(names)


TEXTS = st.text("abAB.\u00e9\u00c9(", min_size=0, max_size=6)


@settings(max_examples=15)
@given(
    texts=st.lists(st.lists(st.tuples(TEXTS, TEXTS), max_size=3), max_size=4),
    wanted=TEXTS.filter(bool),
)
def test_search_finds_every_text_that_contains_another(
    tmp_path_factory: pytest.TempPathFactory, texts: list[list[tuple[str, str]]], wanted: str
) -> None:
    episodes = [
        replace(
            episode(
                [
                    replace(turn(said, ""), observation=Observation(text=seen))
                    for said, seen in each
                ],
                0.0,
                first="-",
            ),
            id=EpisodeId(step=0, group=number, member=0),
        )
        for number, each in enumerate(texts)
    ]
    expected = [
        (number, turn, part)
        for number, each in enumerate(texts)
        for turn, pair in enumerate(each, start=1)
        for part, text in zip(("text", "observation"), pair, strict=True)
        if wanted.lower() in text.lower()
    ]
    found = search(write(tmp_path_factory.mktemp("found"), *episodes), wanted)
    assert found["count"] == len(expected)
    assert found["episodes"] == len({number for number, _, _ in expected})
    assert sorted((h["group"], h["turn"], h["part"]) for h in found["hits"]) == sorted(expected)
    assert {h["found"].lower() for h in found["hits"]} <= {wanted.lower()}


def test_search_looks_into_first_observations_and_errors_too(port: int) -> None:
    asked = f"/api/runs/{Runs.FAILED:d}/search?text="
    (first, *_) = get(port, f"{asked}START")["hits"]
    assert (first["turn"], first["part"], first["found"]) == (0, "observation", "start")
    (error,) = get(port, f"{asked}no+space")["hits"]
    assert (error["group"], error["part"]) == (2, "error")
    status, _, body = ask(port, asked)
    assert (status, json.loads(body)["error"]) == (404, "there is no text to search for")


def test_provenance_says_when_a_run_was_begun_and_what_it_lacks(tmp_path: Path) -> None:
    lines = (
        '{"phase": "begin", "unix_seconds": 0}\n{"phase": "begin", "unix_seconds": 60}\n[1]\n{"torn'
    )
    store.write_text(tmp_path / "metrics.jsonl", lines)
    assert OpenRun(store.open(tmp_path)).about()["provenance"] == [
        ("recipe", "there is no config.yaml"),
        ("begun and ended", "begin  1970-01-01 00:00:00 UTC\nbegin  1970-01-01 00:01:00 UTC"),
    ]


def test_an_empty_run_has_an_empty_table(tmp_path: Path) -> None:
    table = OpenRun(store.open(tmp_path)).table()
    assert table["problems"] == []
    assert all(column == [] for column in table["columns"].values())


def test_only_png_files_are_served_as_pictures(tmp_path: Path) -> None:
    seen = Observation(text="a", image=PNG)
    page = Observation(text="b", image=b"<svg onload=alert(1)>")
    turns = [replace(turn("x", "y"), observation=page)]
    found = replace(episode(turns, 1.0), first=seen, id=EpisodeId(step=0, group=0, member=0))
    opened = write(tmp_path, found)
    assert opened.picture("step-000000", 0, member=0, turn=0) == PNG
    with pytest.raises(UsageError, match="no picture at group=0/member=0/turn=1"):
        opened.picture("step-000000", 0, member=0, turn=1)


def test_evaluations_have_no_credit_and_say_why(tmp_path: Path) -> None:
    write_run(tmp_path, by_seed)
    path = tmp_path / "episodes" / "step-000000.parquet"
    store.write_episodes(tmp_path / "episodes" / "eval-000000.parquet", store.read_episodes(path))
    with pytest.raises(UsageError, match="is an evaluation; credit is computed on train steps"):
        credit(OpenRun(store.open(tmp_path)), "eval-000000", 0, scheme=None)


def test_a_port_that_is_taken_is_named(
    port: int, stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["view", str(stored), "--no-open", "--port", str(port)]) == 2
    assert f"port {port} cannot be used" in capsys.readouterr().err
    assert main(["view", str(stored), "--no-open", "--port", "65536"]) == 2
    assert "port 65536 is not between 0 and 65535" in capsys.readouterr().err
    assert main(["view", str(stored / "none"), "--no-open"]) == 2
    assert "no run at" in capsys.readouterr().err

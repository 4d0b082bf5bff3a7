"""The command line: every verb, its JSON, and wrong input in one line with exit code 2."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from saying_env import Saying

from agentgym import store
from agentgym.cli import build_parser, main
from agentgym.engine import Request
from agentgym.env import env_class, turn_env_ids
from agentgym.pool import InlinePool
from agentgym.render import ByteTemplate, Renderer
from agentgym.rollout import Agent, Start, play_group
from agentgym.trainers.config import recipe_names
from agentgym.trainers.engines.scripted import ScriptedEngine
from agentgym.types import Episode, EpisodeId

ROOT = Path(__file__).parents[2]
BOX = "agentgym/Box-v0"
(SUBPARSERS,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
VERBS = tuple(SUBPARSERS.choices)
READ_VERBS = {
    "eval": ["X"], "envs": [], "check": ["X"], "replay": ["X"], "episodes": ["X"],
    "credit": ["X"], "graph": ["X"], "plan": ["X"], "doctor": [],
    "sandbox": ["list"],
}  # fmt: skip


def call(*words: str) -> int:
    """The exit code of a command."""
    try:
        return main([str(word) for word in words])
    except SystemExit as leaving:
        assert isinstance(leaving.code, int)
        return leaving.code


def refuse(capsys: pytest.CaptureFixture[str], *words: Any, code: int = 2) -> str:
    """The one line that a wrong command prints."""
    assert call(*words) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("agentgym: ")
    return line


def say(request: Request) -> str:
    """Member 0 wins, member 1 beeps and is lost."""
    lines = [["run cat note", "\x1b[31mbeep\x07", f"submit {WORD}"], ["dance", "raise"]]
    return lines[request.episode.member][request.turn]


WORD = env_class(BOX).panel("gen1/train").tasks[0].id


def box_episodes(step: int) -> tuple[Episode, ...]:
    """A group of two as a train step would store it."""
    agent = Agent(
        engine=ScriptedEngine(say, encode=lambda text: (*text.encode(), 258)),
        renderer=Renderer(ByteTemplate()),
        context=4000,
        max_turn_tokens=50,
    )
    start = Start(
        id=EpisodeId(step=step, group=0, member=0),
        task=env_class(BOX).panel("gen1/train").tasks[0],
        panel_hash="hash",
        env=BOX,
        seed=0,
    )
    won, lost = asyncio.run(play_group(InlinePool(BOX), agent, start, size=2)).episodes
    turns = tuple(replace(turn, channels={"gain": 0.25, "none": None}) for turn in won.turns)
    return replace(won, turns=turns, advantages=(0.0, -0.5, 1.0)), lost


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A run of two train steps and an evaluation."""
    for name, step in (("step-000000", 0), ("step-000001", 1), ("eval-000002-greedy", 2)):
        store.write_episodes(tmp_path / "episodes" / f"{name}.parquet", box_episodes(step))
    return tmp_path


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(verb, "--help") == 0
    assert f"agentgym {verb}" in capsys.readouterr().out


def test_the_program_has_help_that_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--help") == 0
    shown = capsys.readouterr().out
    assert all(re.search(rf"\n    {verb}\s", shown) for verb in VERBS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "required: VERB"),
        (["trian"], "invalid choice: 'trian' .*'train', .*'eval'"),
        (["envs", "--jsn"], "unknown option '--jsn'; see 'agentgym envs --help'"),
        (["envs", "--js"], "unknown option '--js'"),
        (["doctor", "now"], "unknown option 'now'"),
        (["eval", "X", "--tasks", "0"], "--tasks: 0 is less than 1"),
        (["eval", "X", "--samples", "-1"], "--samples: -1 is less than 1"),
        (["eval", "X", "--samples", "two"], "--samples: invalid count value: 'two'"),
        (
            ["eval", "X", "--greedy", "--samples", "8"],
            "--greedy plays one episode a task, for all would be the same; leave --samples out",
        ),
        (["replay", "X", "--step", "one"], "--step: invalid int value: 'one'"),
        (["replay"], "required: RUN"),
        (["replay", "no/such"], "no run at 'no/such'"),
        (["episodes", "no/such"], "no run at 'no/such'"),
        (["eval", "no/such"], "no run at 'no/such'"),
        (["eval", "no/such", "--greedy"], "no run at 'no/such'"),
        (["check", "agentgym/Coridor-v0"], "did you mean 'agentgym/Corridor-v0'"),
        (["check", "no_such_module:Env"], "no_such_module"),
        (["check", "saying_env:Sayin"], "module 'saying_env' has no 'Sayin'"),
        (["play", "agentgym/Coridor-v0"], "did you mean 'agentgym/Corridor-v0'"),
        (["play", "agentgym/Corridor-v0", "--split", "gen1/unsen"], "did you mean 'gen1/unseen'"),
        (["play", "agentgym/Corridor-v0", "--task", "99"], "unknown task of panel 'gen1/train'"),
        (["train", "no/such.yaml"], "there is no recipe file 'no/such.yaml'"),
        (["train", "coridor"], "unknown recipe 'coridor'; did you mean 'corridor'"),
        (["train", "corridor", "--train.stesp", "3"], "did you mean 'train.steps'"),
        (["train", "corridor", "--credit.name", "slat"], "did you mean 'salt'"),
        (["train", "corridor", "--env.id", "agentgym/Coridor-v0"], "agentgym/Corridor-v0"),
        (["train", "corridor", "--env.id", "broken_envs:Listed"], "must give a Panel, not list"),
        (["train", "corridor", "--train.steps"], "'--train.steps' needs a value"),
        (["train", "corridor", "--print-config", "--seed", "x"], "'seed' is 'x'"),
        (["train", "corridor", "--control", "--warm_start", "null"], "this recipe has none"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    line = refuse(capsys, *words)
    assert re.search(said, line), line
    assert list(tmp_path.iterdir()) == []


MODULES = {
    "wont_parse": "class Own(\n",
    "wont_import": "import os\n\nraise ValueError('no token')\n",
    "leaves": "raise SystemExit(0)\n",
    "no_panel": """
from agentgym import Panel, TurnEnv
class Bare(TurnEnv):
    pass
class Listed(TurnEnv):
    @classmethod
    def panel(cls, split):
        return []
class Empty(TurnEnv):
    @classmethod
    def panel(cls, split):
        return Panel(name=split, env="x", tasks=())
class Official(Empty):
    @classmethod
    def splits(cls):
        return ("official/test",)
""",
    "unguarded": """
from agentgym import SeededEnv
from agentgym.trainers import train
class Own(SeededEnv):
    pass
train("small", out="runs/own", env={"id": "unguarded:Own"})
""",
}


@pytest.mark.parametrize(
    ("verb", "env", "said"),
    [
        ("check", "wont_parse:Own", r"'wont_parse:Own'.*SyntaxError: .*wont_parse.py, line 1"),
        ("check", "wont_import:Own", r"ValueError: no token \(.*wont_import.py, line 3\)"),
        ("play", "leaves:Own", r"SystemExit: 0 \(.*leaves.py, line 1\)"),
        ("play", "no_panel:Bare", "split 'gen1/train' of 'no_panel:Bare': .*Bare has no panel"),
        ("play", "no_panel:Listed", "'gen1/train' .*`panel` must give a Panel, not list"),
        ("play", "no_panel:Empty", "'gen1/train' of 'no_panel:Empty' has no tasks"),
        ("play", "no_panel:Official", "unknown split .*'gen1/train'; known: official/test"),
        ("check", "unguarded:Own", "'unguarded' starts a run .*if __name__ == '__main__':"),
    ],
)
def test_an_environment_that_cannot_be_used_is_one_line(
    verb: str, env: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    module = env.partition(":")[0]
    (tmp_path / f"{module}.py").write_text(MODULES[module])
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    line = refuse(capsys, verb, env)
    assert re.search(said, line), line
    assert not (tmp_path / "runs").exists()


def test_an_unknown_task_among_thousands_is_a_short_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = refuse(capsys, "play", "agentgym/ALFWorld-v0", "--task", "nope")
    assert len(line) < 200
    assert re.search(r"'nope'; [\d,]+ are known, such as gen1/train/0000, ", line), line


def test_the_program_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--version") == 0
    assert re.fullmatch(r"agentgym \d+\.\d+\.\d+\n", capsys.readouterr().out)
    done = subprocess.run(
        [sys.executable, "-m", "agentgym", "--version"], capture_output=True, text=True, timeout=60
    )
    assert re.fullmatch(r"agentgym \d+\.\d+\.\d+\n", done.stdout), done.stderr


def test_train_without_a_recipe_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("train") == 0
    shown = capsys.readouterr().out
    assert all(f"\n{name} " in shown for name in recipe_names())


def test_the_printed_configuration_is_the_recipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = ("--train.steps", "3", "--sampler.stop", "['#']")
    assert call("train", "corridor", *changes, "--print-config") == 0
    printed = capsys.readouterr().out
    assert yaml.safe_load(printed)["train"]["steps"] == 3
    assert yaml.safe_load(printed)["sampler"]["stop"] == ["#"]
    path = tmp_path / "again.yaml"
    path.write_text(printed)
    assert call("train", str(path), "--print-config") == 0
    assert capsys.readouterr().out == printed


def test_an_existing_run_is_refused(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run_folder / "config.yaml").write_text("x")
    line = refuse(capsys, "train", "corridor", "--out", run_folder)
    assert "--resume goes on with it, --force replaces it" in line
    assert str(run_folder) in line
    assert store.open(run_folder).files()


@pytest.mark.parametrize("option", ["--force", "--resume"])
def test_a_folder_of_other_things_is_never_touched(
    tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    line = refuse(capsys, "train", "corridor", "--out", tmp_path, option)
    assert "is not empty and 'thesis.txt' in it is no part of a run" in line
    line = refuse(capsys, "train", "corridor", "--out", tmp_path / "thesis.txt", option)
    assert "is a file; a run needs a folder" in line
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_run_is_not_replaced_for_a_recipe_that_cannot_run(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run_folder / "config.yaml").write_text("x")
    words = ["train", "corridor", "--out", run_folder, "--force", "--credit.name", "slat"]
    assert "did you mean 'salt'" in refuse(capsys, *words)
    assert store.open(run_folder).files()


def test_envs_lists_every_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("envs", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in rows] == list(turn_env_ids())
    corridor = next(row for row in rows if row["id"] == "agentgym/Corridor-v0")
    assert corridor == {
        "id": "agentgym/Corridor-v0",
        "max_turns": 12,
        "splits": ["gen1/train", "gen1/unseen"],
        "expert": "shortest path",
        "needs": None,
        "about": "Take both keys, in either order, and open the door: reward 1, once.",
    }
    needs = {row["id"]: row["needs"] for row in rows}
    assert needs["agentgym/ALFWorldTextWorld-v0"] == "extra alfworld"
    assert needs["agentgym/Search-v0"] == "extra search-real for real1/..."
    assert call("envs") == 0
    shown = capsys.readouterr().out
    assert all(row["id"] in shown and row["about"] in shown for row in rows)


def test_check_says_which_promise_is_broken(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("check", "broken_envs:Sound", "--json") == 0
    sound = json.loads(capsys.readouterr().out)
    assert all(row["ok"] for row in sound)
    assert call("check", "broken_envs:Restless", "--json") == 1
    broken = json.loads(capsys.readouterr().out)
    failed = [row["name"] for row in broken if not row["ok"]]
    assert failed
    assert call("check", "broken_envs:Restless") == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("FAIL")]
    assert len(lines) == len(broken)


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """What a person types, then Ctrl-D."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_a_person_can_play_and_win(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "\nrun cat note\nsubmit fern\n")
    assert call("play", BOX, "--task", "fern") == 0
    shown = capsys.readouterr().out
    assert "(no list of choices here)" in shown
    assert "The word is fern." in shown
    assert shown.endswith("success, score 1\n")


def test_choices_are_listed_on_demand_and_a_person_can_leave(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "\n\x1b[2J\n")
    assert call("play", "agentgym/Corridor-v0") == 0
    shown = capsys.readouterr().out
    assert "> east\ntake red key\ntake blue key\n" in shown
    assert "You cannot do that." in shown
    assert "\x1b" not in shown
    assert "score" not in shown


@pytest.mark.parametrize("words", ["", "a\nb\nc\n"])
def test_an_environment_that_was_played_is_closed(
    words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left by Ctrl-D, and played to the end."""
    typed(monkeypatch, words)
    before = Saying.num_closed
    assert call("play", "saying_env:Saying") == 0
    assert Saying.num_closed == before + 1


def test_an_environment_that_fails_while_a_person_plays_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "raise\n")
    assert call("play", BOX) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("agentgym: EnvError: step: RuntimeError: boom")


def test_replay_prints_the_last_step_turn_by_turn(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("replay", str(run_folder)) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"step=1/group=0/member=0  task {WORD}  {BOX}\nstatus success  score 1")
    assert "  1 > run cat note    [reward 0, advantage +0.000, gain +0.250, none none]" in shown
    assert f"  3 > submit {WORD}    [reward 0, advantage +1.000" in shown
    assert "advantage -0.500" in shown
    assert "invalid: no command" in shown
    assert f"The word is {WORD}." in shown
    assert not set(shown) & {"\x1b", "\x07"}
    assert "?[31mbeep?" in shown


def test_replay_shows_how_a_lost_episode_ended(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("replay", str(run_folder), "--step", "0", "--member", "1") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("step=0/group=0/member=1")
    assert "status infra_error  score none" in shown
    assert "ended by EnvError in turns: step: RuntimeError: boom boom" in shown


def test_replay_as_json_is_the_stored_row(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("replay", str(run_folder), "--file", "eval-000002-greedy", "--json") == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["step"], row["group"], row["member"]) == (2, 0, 0)
    assert [turn["text"] for turn in row["turns"]][-1] == f"submit {WORD}"
    assert row["advantages"] == [0.0, -0.5, 1.0]
    assert row["images"] == [True] * 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--step", "7"], "no train step 7 in '{run}'; stored: 0 to 1"),
        (["--step", "-1"], "no train step -1 in '{run}'; stored: 0 to 1"),
        (["--file", "eval-000002-greed"], "did you mean 'eval-000002-greedy'"),
        (["--file", "step-000001", "--step", "1"], "give --file or --step, not both"),
        (["--group", "5"], "train step 1 has no group 5; stored: 0"),
        (["--file", "step-000000", "--group", "5"], "'step-000000' has no group 5; stored: 0"),
        (["--member", "-1"], "group 0 of train step 1 has no member -1; stored: 0 to 1"),
    ],
)
def test_replay_names_what_is_not_there(
    run_folder: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refuse(capsys, "replay", run_folder, *words)
    assert said.format(run=run_folder) in line


def test_replay_of_a_run_that_was_only_evaluated(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (run_folder / "episodes").glob("step-*"):
        path.unlink()
    assert call("replay", str(run_folder)) == 0
    assert capsys.readouterr().out.startswith("step=2/group=0/member=0")
    line = refuse(capsys, "replay", run_folder, "--step", "0")
    assert "no train step 0 in" in line
    assert "only evaluations; name one with --file, such as eval-000002-greedy" in line


def test_episodes_is_a_row_per_file_and_says_how_to_see_more(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two episodes, one is won in three turns, one lost to an error in its second turn."""
    assert call("episodes", str(run_folder)) == 0
    head, *rows, more, read = capsys.readouterr().out.splitlines()
    assert head.split() == ["file", "episodes", "success", "score", "turns", "errors"]
    assert [row.split()[0] for row in rows] == ["step-000000", "step-000001", "eval-000002-greedy"]
    assert {tuple(row.split()[1:]) for row in rows} == {("2", "1.0", "1.0", "2.0", "1")}
    assert more == (
        f"rows of episodes: agentgym episodes {run_folder} "
        "with --step N, --status S, --task ID or --sql QUERY"
    )
    assert read == f"read one: agentgym replay {run_folder} --file eval-000002-greedy"
    assert call("episodes", str(run_folder), "--json") == 0
    assert json.loads(capsys.readouterr().out)[0] == {
        "file": "step-000000", "episodes": 2, "success": 1.0, "score": 1.0, "turns": 2.0,
        "errors": 1,
    }  # fmt: skip


def test_filtered_episodes_are_a_row_each(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("episodes", str(run_folder), "--step", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "file", "group", "member", "task_id", "status", "score", "turns", "advantage",
    ]  # fmt: skip
    assert len(lines) == 3
    words = ["episodes", str(run_folder), "--json"]
    assert call(*words, "--status", "success", "--task", WORD) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 3
    assert rows[0] == {
        "file": "step-000000", "group": 0, "member": 0, "task_id": WORD,
        "status": "success", "score": 1.0, "turns": 3, "advantage": 0.167,
    }  # fmt: skip
    assert call(*words, "--status", "infra_error", "--step", "0") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["member"], row["score"]) == (1, None)
    assert call("episodes", str(run_folder), "--status", "failure") == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["(no such episodes)"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--status", "won"], "invalid choice: 'won' .*infra_error"),
        (["--task", "fem"], "unknown task of this run 'fem'; "),
        (["--step", "9"], "nothing is stored of step 9; stored: 0 to 2"),
        (["--step", "0", "--sql", "SELECT 1"], "--sql takes no other filter"),
    ],
)
def test_episodes_names_what_is_not_there(
    run_folder: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refuse(capsys, "episodes", run_folder, *words)
    assert re.search(said, line), line


def test_episodes_takes_any_query(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query = "SELECT text, count(*) AS n FROM turns GROUP BY 1 ORDER BY ALL"
    assert call("episodes", str(run_folder), "--sql", query, "--json") == 0
    said = ["\x1b[31mbeep\x07", "dance", "run cat note", f"submit {WORD}"]
    assert json.loads(capsys.readouterr().out) == [{"text": text, "n": 3} for text in said]
    line = refuse(capsys, "episodes", run_folder, "--sql", "SELECT nothing FROM nowhere")
    assert "the query failed: Catalog Error" in line


def test_a_damaged_file_is_reported_and_the_others_are_shown(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = run_folder / "episodes" / "step-000001.parquet"
    damaged.write_bytes(b"torn")
    assert call("episodes", str(run_folder), "--json") == 0
    captured = capsys.readouterr()
    assert {row["file"] for row in json.loads(captured.out)} == {
        "step-000000", "eval-000002-greedy",
    }  # fmt: skip
    assert "skipped" in captured.err
    assert "step-000001.parquet" in captured.err.replace("\n", "")
    assert call("replay", str(run_folder)) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("agentgym: StoreError: ")
    assert str(damaged) in captured.err


OPENED = """
import sys
from agentgym.cli import main
opened = []
sys.addaudithook(lambda event, arguments: opened.append(arguments[0]) if event == "open" else None)
assert main(["episodes", sys.argv[1], "--json"]) == 0
print(*[path for path in map(str, opened) if path.endswith(".parquet")], file=sys.stderr)
"""
"""Says which episode files Python opened; libraries open them in code of their own."""


def test_every_episode_file_is_checked_once(run_folder: Path) -> None:
    code = [sys.executable, "-c", OPENED, str(run_folder)]
    done = subprocess.run(code, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.split() == [str(path) for path in store.open(run_folder).files()]


def test_doctor_says_what_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("doctor", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["python"] == sys.version.split()[0]
    assert facts["cores"] >= 1
    assert facts["duckdb"]
    assert facts["extras"]["dev"] == {"for": "tests and linters", "missing": []}
    assert call("doctor") == 0
    assert "duckdb" in capsys.readouterr().out


def test_doctor_lists_every_extra(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert call("doctor", "--json") == 0
    extras = json.loads(capsys.readouterr().out)["extras"]
    assert sorted(extras) == sorted(project["optional-dependencies"])
    assert call("doctor") == 0
    lines = capsys.readouterr().out.splitlines()
    for name, extra in extras.items():
        (line,) = (line for line in lines if re.match(rf"{name} .*{re.escape(extra['for'])}", line))
        install = f"missing: {', '.join(extra['missing'])}; pip install 'agentgym-lab[{name}]'"
        assert line.endswith(install if extra["missing"] else "installed")


@pytest.mark.parametrize("verb", READ_VERBS)
def test_every_read_verb_has_json(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    call(verb, *READ_VERBS[verb], "--json", "--help")
    assert "--json" in capsys.readouterr().out


def test_a_reader_that_leaves_early_is_no_error(run_folder: Path) -> None:
    command = [sys.executable, "-m", "agentgym", "episodes", str(run_folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), said) == (0, b"")

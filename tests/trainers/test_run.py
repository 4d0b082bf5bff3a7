"""A run from recipe to report, in this process; what a kill does to one is in test_resume."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dying_parts
import pytest
from small_runs import small_recipe
from transformers import AutoTokenizer

from agentgym import store
from agentgym.cli import main
from agentgym.env import env_class
from agentgym.errors import UsageError, WorkerError
from agentgym.trainers import config, report, run_folder, train
from agentgym.trainers.config import Recipe
from agentgym.trainers.fidelity import FidelityError
from agentgym.trainers.lost import NoEpisodeError
from agentgym.trainers.run import RunResult
from agentgym.trainers.step import PHASES
from agentgym.types import Episode, Status

SHORT: dict[str, Any] = {
    "train": {"steps": 2, "tasks_per_step": 2, "checkpoint_every": 1},
    "eval": {"tasks": 3, "samples": 2, "every": 1},
}
PANEL = env_class("agentgym/Corridor-v0").panel("gen1/unseen").head(3)


def timeless(episodes: tuple[Episode, ...]) -> list[Episode]:
    return [
        replace(e, turns=tuple(replace(turn, seconds=0.0) for turn in e.turns)) for e in episodes
    ]


@pytest.fixture(scope="module")
def finished(corridor_model: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A run of two steps."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    return train(small_recipe(corridor_model, **SHORT), out=folder)


@pytest.fixture
def copy(finished: RunResult, tmp_path: Path) -> Path:
    """A copy of it to do harm to."""
    return shutil.copytree(finished.folder, tmp_path / "a copy")


def save_recipe(recipe: Recipe, folder: Path) -> str:
    path = folder / "recipe.yaml"
    path.write_text(config.dump(recipe))
    return str(path)


def refuse(capsys: pytest.CaptureFixture[str], *words: Any, code: int = 2) -> str:
    """The one line on stderr of a command that fails."""
    capsys.readouterr()
    assert main([str(word) for word in words]) == code
    err = [line for line in capsys.readouterr().err.splitlines() if line.startswith("agentgym")]
    (line,) = err
    return line


def test_a_run_leaves_the_files_that_are_promised(finished: RunResult) -> None:
    folder = finished.folder
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".sha256") == [
        "checkpoints", "config.yaml", "curve.png", "episodes", "metrics.jsonl",
        "panel-eval.parquet", "panel.parquet", "report.json", "report.md",
    ]  # fmt: skip
    run = store.open(folder)
    assert [path.stem for path in run.files()] == [
        "eval-000000-greedy", "eval-000000-sampled", "eval-000001-greedy", "eval-000001-sampled",
        "eval-000002-greedy", "eval-000002-sampled", "step-000000", "step-000001",
    ]  # fmt: skip
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == [
        "step-000000", "step-000001", "step-000002",
    ]  # fmt: skip
    assert store.read_panel(folder / "panel-eval.parquet").hash == PANEL.hash
    assert not [path for path in folder.rglob("*") if "tmp" in path.name]


def test_episodes_say_what_they_are_of(finished: RunResult) -> None:
    run = store.open(finished.folder)
    train_hash = env_class("agentgym/Corridor-v0").panel("gen1/train").hash
    for path in run.files():
        kind, step, *_ = path.stem.split("-")
        for episode in store.read_episodes(path):
            assert episode.id.step == episode.policy_version == int(step)
            assert episode.panel_hash == (train_hash if kind == "step" else PANEL.hash)
            assert episode.env == "agentgym/Corridor-v0"
            assert (episode.advantages is not None) == (kind == "step")
    sizes = [len(store.read_episodes(path)) for path in run.files()]
    assert sizes == [3, 6, 3, 6, 3, 6, 8, 8]


def test_metrics_have_a_row_a_step_and_the_report_is_their_sum(finished: RunResult) -> None:
    rows = store.open(finished.folder).metrics()
    steps = [row for row in rows if "step" in row]
    assert [row["step"] for row in steps] == [0, 1]
    assert [row["at"] for row in rows if row.get("phase") == "eval"] == [0, 1, 2]
    for row in steps:
        spent = {name: row[f"seconds/{name}"] for name in (*PHASES, "save")}
        assert all(seconds >= 0 for seconds in spent.values())
        assert min(spent[name] for name in ("decode", "environment", "save")) > 0
        assert (spent["backward"] > 0) == (row["tokens/trained"] > 0)
        assert 0 < row["speed/turns_per_s"] <= row["speed/tokens_per_s"]
        assert row["memory/peak_rss_gb"] > 0.1
        assert row["tokens/reread"] == row["episodes/evicted"] == 0
    report = finished.report
    assert report is not None
    assert report["panel"]["hash"] == PANEL.hash
    assert report["fidelity"]["tokens_reencoded"] == 0
    assert report["fidelity"]["tokens_trained"] == sum(row["tokens/trained"] for row in steps)
    assert report["fidelity"]["episodes"] == 16
    assert report["peak_rss_gb"] > 0.1
    assert f"{report['before']['success']:.1%} before RL" in finished.summary()
    assert str(finished.folder / "report.md") in finished.summary()


def test_a_finished_run_is_given_back_and_not_run_again(
    finished: RunResult, corridor_model: Path
) -> None:
    before = (finished.folder / "report.json").stat().st_mtime_ns
    again = train(small_recipe(corridor_model, **SHORT), out=finished.folder, resume=True)
    assert again == finished
    renamed = small_recipe(corridor_model, **SHORT, title="called something else")
    assert train(renamed, out=finished.folder, resume=True) == finished
    assert (finished.folder / "report.json").stat().st_mtime_ns == before
    with pytest.raises(UsageError, match="already holds a run; --resume"):
        train(small_recipe(corridor_model, **SHORT), out=finished.folder)


def test_to_resume_by_another_recipe_is_refused_by_name(
    finished: RunResult, corridor_model: Path
) -> None:
    recipe = small_recipe(corridor_model, **SHORT)
    with pytest.raises(UsageError, match="--resume goes on with a run and --force deletes it"):
        train(recipe, out=finished.folder, resume=True, force=True)
    told = "train.lr is 0.001, not 0.5; credit.name is salt, not grpo; .* choose another folder"
    with pytest.raises(UsageError, match=told):
        train(recipe, out=finished.folder, resume=True, train={"lr": 0.5}, credit={"name": "grpo"})
    with pytest.raises(UsageError, match="rewards.overlong.weight is not set, not 1.0; "):
        train(recipe, out=finished.folder, resume=True, rewards={"overlong": {"into": "outcome"}})
    with pytest.raises(UsageError, match="train.steps is 2, not 1; "):
        train(recipe, out=finished.folder, resume=True, train={"steps": 1})
    assert store.open(finished.folder).report() == finished.report


def test_a_finished_run_goes_on_to_more_steps_as_if_it_had_been_begun_with_them(
    copy: Path, corridor_model: Path, tmp_path: Path
) -> None:
    recipe = small_recipe(corridor_model, **SHORT)
    longer = {"steps": 3}
    grown = train(recipe, out=copy, resume=True, train=longer).report
    whole = train(recipe, out=tmp_path / "whole", train=longer).report
    assert grown is not None
    assert whole is not None
    for part in ("before", "after", "gain_ci95", "fidelity", "greedy"):
        assert grown[part] == whole[part]
    weights = "checkpoints/step-000003/model.safetensors"
    assert (copy / weights).read_bytes() == (tmp_path / "whole" / weights).read_bytes()
    falling = small_recipe(corridor_model, **SHORT, fidelity={"max_infra_errors": 1.0})
    falling = config.validate(config.merge(falling.model_dump(), {"train": {"last_lr_share": 0.5}}))
    (copy / "config.yaml").write_text(config.dump(falling))
    with pytest.raises(UsageError, match="train.steps is 2 .* cannot grow: its learning rate fal"):
        train(falling, out=copy, resume=True, train={"steps": 3})


def test_a_lost_report_and_a_damaged_evaluation_are_made_again(
    finished: RunResult, copy: Path, corridor_model: Path
) -> None:
    (copy / "report.json").unlink()
    damaged = copy / "episodes" / "eval-000002-greedy.parquet"
    damaged.write_bytes(b"torn")
    again = train(small_recipe(corridor_model, **SHORT), out=copy, resume=True)
    assert again.report is not None
    assert finished.report is not None
    for part in ("before", "after", "gain_ci95", "fidelity", "greedy"):
        assert again.report[part] == finished.report[part]
    for path in store.open(finished.folder).files():
        assert timeless(store.read_episodes(copy / "episodes" / path.name)) == timeless(
            store.read_episodes(path)
        )


def test_episodes_lost_in_any_evaluation_are_counted(finished: RunResult, copy: Path) -> None:
    groups = store.open(copy).groups("eval-000002-sampled")
    lost = [
        replace(e, status=Status.INFRA_ERROR, score=None, success=None)
        for group in groups
        for e in group.episodes
    ]
    store.write_episodes(copy / "episodes" / "eval-000001-sampled.parquet", lost)
    assert finished.report is not None
    before, after = finished.report["fidelity"], report.write(copy)["fidelity"]
    assert before["evaluation_errors"] == 0
    assert after["evaluation_errors"] == len(lost) > 0
    assert after["evaluation_episodes"] == before["evaluation_episodes"]


def test_a_resume_that_is_refused_changes_nothing(
    copy: Path, corridor_model: Path, tmp_path: Path
) -> None:
    kept = {name: (copy / name).read_bytes() for name in ("report.json", "config.yaml")}
    with pytest.raises(UsageError, match="--control goes on with the warm start"):
        train(
            small_recipe(corridor_model, **SHORT),
            out=copy, resume=True, control=True, train={"steps": 3},
        )  # fmt: skip
    assert kept == {name: (copy / name).read_bytes() for name in kept}


def test_what_a_kill_left_half_written_is_no_stranger_and_goes(
    finished: RunResult, copy: Path, corridor_model: Path, tmp_path: Path
) -> None:
    torn = [
        copy / f".{name}.123.tmp" for name in ("report.md", "metrics.jsonl", "panel.parquet.sha256")
    ]
    for path in torn:
        path.write_text("half")
    (copy / "report.json").unlink()
    again = train(small_recipe(corridor_model, **SHORT), out=copy, resume=True)
    assert again.report is not None
    assert not any(path.exists() for path in torn)
    only = tmp_path / "only"
    only.mkdir()
    (only / ".config.yaml.123.tmp").write_text("half")
    wrong = small_recipe(corridor_model, credit={"name": "slat"})
    with pytest.raises(UsageError, match="unknown credit scheme"):  # the folder is free
        train(wrong, out=only)
    (only / ".other.123.tmp").write_text("not ours")
    with pytest.raises(UsageError, match="'.other.123.tmp' in it is no part of a run"):
        train(wrong, out=only, force=True)


def test_what_runs_again_leaves_nothing_among_the_episodes(tmp_path: Path) -> None:
    """Neither a digest nor a half-written file, but for what `agentgym eval` may be writing."""
    episodes = tmp_path / "episodes"
    stays = ["eval-000002-greedy", "judge-000002-x-3-greedy", "mine", "step-000001", "step-x"]
    goes = ["control-000004-sampled", "eval-000003-greedy", "step-000002", "step-000003"]
    for name in (*stays, *goes):
        store.write_episodes(episodes / f"{name}.parquet", [])
    (episodes / "step-000003.parquet").unlink()  # killed between its digest and its renaming
    written = ".judge-000002-x-9-greedy.parquet.123.tmp"
    torn = [".step-000003.parquet.123.tmp", ".eval-000000-greedy.parquet.sha256.123.tmp"]
    for name in (written, *torn):
        (episodes / name).write_text("half")
    run_folder.forget_after(tmp_path, 2)
    whole = [f"{name}.parquet{ending}" for name in stays for ending in ("", ".sha256")]
    assert sorted(path.name for path in episodes.iterdir()) == sorted([written, *whole])


def test_episode_files_of_other_names_do_not_disturb_a_resumed_run(
    copy: Path, corridor_model: Path
) -> None:
    shutil.rmtree(copy / "checkpoints" / "step-000002")
    (copy / "report.json").unlink()
    names = ("mine", "step-x", "eval", "judge-000002-gen1-unseen-3-greedy")
    for name in names:
        source = copy / "episodes" / "step-000001.parquet"
        shutil.copy(source, copy / "episodes" / f"{name}.parquet")
    again = train(small_recipe(corridor_model, **SHORT), out=copy, resume=True)
    assert again.report is not None
    assert {path.stem for path in store.open(copy).files()} >= {*names, "step-000001"}


def test_force_replaces_a_run_and_repeats_it(
    finished: RunResult, copy: Path, corridor_model: Path
) -> None:
    (copy / "episodes" / "step-000099.parquet").write_bytes(b"old")
    again = train(small_recipe(corridor_model, **SHORT), out=copy, force=True)
    assert [p.name for p in store.open(copy).files()] == [
        p.name for p in store.open(finished.folder).files()
    ]
    assert again.report is not None
    assert finished.report is not None
    assert again.report["after"] == finished.report["after"]


def test_a_passed_threshold_fails_the_run_each_time_it_is_asked_for(
    corridor_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = small_recipe(corridor_model, **SHORT, fidelity={"max_logprob_gap": 0.0})
    words = ["train", save_recipe(recipe, tmp_path), "--out", tmp_path / "run"]
    for more in ([], ["--resume"]):
        line = refuse(capsys, *words, *more, code=1)
        assert line.startswith("agentgym: FidelityError: sampling-time and train-time logprobs")
    assert (tmp_path / "run" / "report.md").exists()
    with pytest.raises(FidelityError, match="logprobs differ"):
        train(recipe, out=tmp_path / "run", resume=True)


def test_a_run_warm_starts_a_model_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warm_start = {"demonstrations": 40, "updates": 8}
    short = {**SHORT, "train": {"steps": 1, "tasks_per_step": 2}}
    result = train(small_recipe("tiny", warm_start=warm_start, **short), out=tmp_path / "run")
    assert result.report is not None
    assert result.report["warm_start"]["demonstrations"] > 20
    assert [point["update"] for point in result.report["warm_start"]["curve"]] == list(range(1, 9))
    assert result.report["seconds"]["warm_start"] > 0
    said = capsys.readouterr().out
    assert "warm start 8/8" in said
    assert "train step 1/1" in said
    # An ordinary model folder, before and after.
    for folder in ("model", "checkpoints/step-000000", "checkpoints/step-000001"):
        assert AutoTokenizer.from_pretrained(tmp_path / "run" / folder).chat_template


def test_a_model_that_cannot_play_is_one_line_and_the_folder_stays_free(
    corridor_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mute = shutil.copytree(corridor_model, tmp_path / "mute")
    (mute / "chat_template.jinja").unlink()
    recipe = save_recipe(small_recipe(mute, **SHORT), tmp_path)
    out = tmp_path / "run"
    words = ["train", recipe, "--out", out]
    assert "has no chat template" in refuse(capsys, *words)
    assert not out.exists()
    resumed = [*words, "--resume"]  # nothing was begun, so the recipe may be put right
    line = refuse(capsys, *resumed, "--model.path", tmp_path / "nowhere")
    assert f"cannot load model '{tmp_path / 'nowhere'}'" in line
    line = refuse(capsys, *resumed, "--model.path", corridor_model, "--model.context", "5000")
    assert "model.context is 5000, but" in line
    assert "at most 512 tokens" in line
    assert main([*map(str, resumed), "--model.path", str(corridor_model)]) == 0


def judged(capsys: pytest.CaptureFixture[str], folder: Path, *more: str) -> dict[str, Any]:
    """What `agentgym eval --json` prints."""
    capsys.readouterr()
    assert main(["eval", str(folder), "--json", *more]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_eval_plays_what_the_run_played_and_keeps_the_episodes(
    finished: RunResult, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = store.open(copy).report()
    sampled = judged(capsys, copy, "--tasks", "3", "--samples", "2")
    greedy = judged(capsys, copy, "--tasks", "3", "--greedy")
    assert sampled["panel"] == report["panel"]
    assert sampled["step"] == 2
    for name in ("success", "n", "by_type", "score", "ci95"):
        assert sampled[name] == report["after"][name]
        assert greedy[name] == report["greedy"]["after"][name]
    run = store.open(copy)
    assert sampled["file"] == "judge-000002-gen1-unseen-3-sampled-2"
    assert [group.task_id for group in run.groups(sampled["file"])] == [t.id for t in PANEL.tasks]
    trained_on = judged(capsys, copy, "--split", "gen1/train", "--tasks", "2")
    assert trained_on["panel"]["name"] == "gen1/train[:2]"
    assert main(["eval", str(copy), "--tasks", "2"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("gen1/unseen[:2] ")
    file = "judge-000002-gen1-unseen-2-sampled-1"
    assert f"read an episode: agentgym replay '{copy}' --file {file}\n" in shown
    said = replace(finished, folder=copy).summary()
    assert said.endswith(f"\nread an episode: agentgym replay '{copy}'")


def test_eval_falls_back_on_the_checkpoint_before_a_damaged_one(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / "checkpoints" / "step-000002" / "model.safetensors").unlink()
    assert judged(capsys, copy, "--tasks", "1")["step"] == 1
    shutil.rmtree(copy / "checkpoints")
    line = refuse(capsys, "eval", copy, code=1)
    assert "has no sound checkpoint" in line
    (copy / "config.yaml").unlink()
    assert "holds no run: it has no config.yaml" in refuse(capsys, "eval", copy)
    assert "unknown split 'gen1/sen'" in refuse(
        capsys, "play", "agentgym/Corridor-v0", "--split", "gen1/sen"
    )


def test_a_run_without_a_sound_checkpoint_is_not_begun_anew_unasked(
    copy: Path, corridor_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / "report.json").unlink()
    for path in (copy / "checkpoints").glob("*/manifest.json"):
        path.unlink()
    recipe = save_recipe(small_recipe(corridor_model, **SHORT), tmp_path)
    line = refuse(capsys, "train", recipe, "--out", copy, "--resume", code=1)
    assert "no sound checkpoint is left; start again with --force" in line


@pytest.mark.parametrize(
    ("env", "what", "file"),
    [
        ("CrashingCorridor", "evaluation at step 0, sampled", "eval-000000-sampled"),
        ("UntrainableCorridor", "train step 0", "step-000000"),
    ],
)
def test_a_run_ends_where_no_episode_is_valid_and_says_what_they_met(
    corridor_model: Path,
    tmp_path: Path,
    env: str,
    what: str,
    file: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = small_recipe(corridor_model, **SHORT, env={"id": f"faulty_env:{env}"})
    folder = tmp_path / "run"
    with pytest.raises(NoEpisodeError) as found:
        train(recipe, out=folder)
    count = sum(len(group.episodes) for group in store.open(folder).groups(file))
    assert str(found.value) == (
        f"{what}: not one of {count} episodes is valid; {count} times EnvError: step: "
        "ZeroDivisionError: division by zero; read one: "
        f"agentgym replay {folder} --file {file} --group 0 --member 0"
    )
    assert not (folder / "report.json").exists()
    (episode, *_) = (e for group in store.open(folder).groups(file) for e in group.episodes)
    assert episode.error is not None
    assert main(["replay", str(folder), "--file", file]) == 0
    said = capsys.readouterr().out
    assert f"\n  1 > {episode.error.action}\n" in said
    assert "return super().step(action) if 1 / self.divisor else None" in said


def test_eval_without_a_valid_episode_has_no_figures_and_fails(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = (copy / "config.yaml").read_text()
    crashing = recipe.replace("agentgym/Corridor-v0", "faulty_env:CrashingCorridor")
    (copy / "config.yaml").write_text(crashing)
    assert main(["eval", str(copy), "--tasks", "2", "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert (result["n"], result["num_errors"]) == (0, 2)
    assert [result[name] for name in ("success", "ci95", "score")] == [None] * 3
    assert result["by_type"] == {"all": None}
    assert main(["eval", str(copy), "--tasks", "2"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[-2].startswith("lost: 2 times EnvError: step: ZeroDivisionError: division by zero;")
    assert said[-1] == "no success to report: not one of 2 episodes is valid"


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have the next run of `dying_parts` send SIGINT to this process; see there for when."""

    def at(where: str) -> None:
        dying_parts.CALLS.clear()
        dying_parts.STEP[0] = 0
        monkeypatch.setenv("SIGNAL_AT", where)

    return at


INTERRUPTED: dict[str, Any] = {
    "env": {"id": "dying_parts:DyingCorridor"},
    "credit": {"name": "dying_parts:DyingSalt"},
    "warm_start": {"demonstrations": 60, "updates": 50, "episodes_per_update": 2},
    "train": {"steps": 1, "tasks_per_step": 2},
    "eval": {"tasks": 1, "samples": 1},
}


@pytest.mark.parametrize("pool", ["inline", "process"])
def test_settings_that_an_environment_does_not_take_are_an_error_before_anything_runs(
    corridor_model: Path, tmp_path: Path, pool: str
) -> None:
    recipe = small_recipe(corridor_model, env={"args": {"rooms": 9}, "pool": pool})
    with pytest.raises(UsageError, match="'env.args': boot: TypeError: .* 'rooms'"):
        train(recipe, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_environment_that_kills_its_process_when_made_is_an_error_too(
    corridor_model: Path, tmp_path: Path
) -> None:
    env: dict[str, Any] = {"id": "faulty_env:ExitsAtBoot", "pool": "process"}
    env |= {"train": "gen1/train", "eval": "gen1/train", "args": {"render_mode": None}}
    with pytest.raises(WorkerError, match="the worker died in boot with exit code 3"):
        train(small_recipe(corridor_model, env=env), out=tmp_path / "run")


def test_ctrl_c_in_the_warm_start_stops_it_and_resume_begins_it_anew(
    corridor_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    interrupt: Callable[[str], None],
) -> None:
    recipe = small_recipe(corridor_model, **INTERRUPTED)
    interrupt("env 0 20 INT")
    result = train(recipe, out=tmp_path / "run")
    said = capsys.readouterr().out
    assert "stopping after this demonstration; press Ctrl-C again" in said
    assert "stopped in the warm start, nothing of it is kept; --resume begins it anew" in said
    assert "warm start 2" not in said
    assert "evaluation at" not in said
    assert result.report is None
    assert result.summary().startswith("stopped in the warm start; --resume begins it anew")
    interrupt("")
    assert train(recipe, out=tmp_path / "run", resume=True).report is not None
    assert "warm start 50/50" in capsys.readouterr().out


def test_ctrl_c_in_the_control_leaves_the_run_finished_without_one(
    corridor_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    interrupt: Callable[[str], None],
) -> None:
    """The last evaluation takes at most two times 12 turns; the 80th is a demonstration's."""
    recipe = small_recipe(corridor_model, **INTERRUPTED)
    interrupt("env 1 80 INT")
    result = train(recipe, out=tmp_path / "run", control=True)
    said = capsys.readouterr().out
    assert "stopped in the control, nothing of it is kept; --resume begins it anew" in said
    assert result.report is not None
    assert result.report["control"] is None
    interrupt("")
    result = train(recipe, out=tmp_path / "run", control=True, resume=True)
    assert result.report is not None
    assert result.report["control"]["updates"] > 0
    assert result.report["control"]["failed"] == 0
    assert f"control: {result.report['control']['demonstrations']} demon" in capsys.readouterr().out


@pytest.mark.parametrize("where", ["env 0 20 INT", "env 1 80 INT"])
def test_a_stopped_run_has_the_exit_code_of_ctrl_c_and_says_how_to_go_on(
    where: str,
    corridor_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    interrupt: Callable[[str], None],
) -> None:
    """In the warm start, and in the control, when the run itself is finished."""
    recipe = save_recipe(small_recipe(corridor_model, **INTERRUPTED), tmp_path)
    folder = tmp_path / "my run"
    interrupt(where)
    line = refuse(capsys, "train", recipe, "--seed", 0, "--out", folder, "--control", code=130)
    command = f"agentgym train {recipe} --out '{folder}' --resume --control --seed 0"
    assert line == f"agentgym: stopped; to go on: {command}"
    interrupt("")
    assert main(shlex.split(command)[1:]) == 0

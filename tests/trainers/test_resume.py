"""A run that was killed goes on as if nothing had happened: to the last bit."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from forked import Forked
from small_runs import small_recipe

from agentgym import registry, store
from agentgym.store import digest_of
from agentgym.trainers import checkpoint, config
from agentgym.trainers.pack import assign
from agentgym.trainers.rewards.combine import combine
from agentgym.types import Episode

LAST = "step-000005"
SESSION = ("begin", "memory", "end")
"""Rows of a process from its start to its end, of which a run that goes on has several."""
SETTINGS: dict[str, Any] = {
    "env": {"id": "dying_parts:DyingCorridor"},
    "credit": {"name": "dying_parts:DyingSalt"},
    "loss": {"name": "dying_parts:DyingPpo"},
    "train": {"steps": 5, "tasks_per_step": 4, "group_size": 3, "micro_batch_tokens": 400},
    "eval": {"tasks": 2},
}


def timeless(episode: Episode) -> Episode:
    return replace(episode, turns=tuple(replace(turn, seconds=0.0) for turn in episode.turns))


def lasting(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of metrics without what the clock and the memory of a process decide."""
    times = ("seconds", "speed/", "peak_rss_gb")
    return {n: value for n, value in row.items() if not any(part in n for part in times)}


def content(folder: Path) -> dict[str, Any]:
    """All that a run came to, but for times and memory."""
    run = store.open(folder)
    newest = folder / "checkpoints" / LAST
    state = torch.load(newest / "optimizer.pt", weights_only=True)["state"]
    critic = newest / "critic.pt"
    return {
        "weights": digest_of(newest / "model.safetensors"),
        "critic": digest_of(critic) if critic.exists() else None,
        "moments": {
            (index, name): tensor.tolist()
            for index, values in state.items()
            for name, tensor in values.items()
        },
        "episodes": {
            path.name: tuple(map(timeless, store.read_episodes(path))) for path in run.files()
        },
        "metrics": [lasting(row) for row in run.metrics() if row.get("phase") not in SESSION],
        "report": {
            name: value
            for name, value in run.report().items()
            if name not in ("seconds", "speed", "peak_rss_gb")
        },
    }


@pytest.fixture(scope="module")
def recipe_file(corridor_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    path.write_text(config.dump(small_recipe(corridor_model, **SETTINGS)))
    return path


KILLS = {
    "while the model plays": "env 3 50 KILL",
    "between play and update": "credit 3 1 KILL",
    "in the middle of an update": "loss 4 2 KILL",
    "before a checkpoint is visible": "save 4 1 KILL",
}


@dataclass(frozen=True, kw_only=True)
class Runs:
    """Runs of one recipe: each begun, most of them broken off, all gone on with to the end."""

    folders: Mapping[str, Path]
    last_steps: Mapping[str, int]
    """The last step whose metrics a killed run had written."""
    codes: Mapping[str, int]
    """Exit codes of the commands that went on."""
    said: str

    def assert_as_unbroken(self, name: str) -> None:
        """To the last bit, but for times and memory."""
        found, expected = content(self.folders[name]), content(self.folders["unbroken"])
        for part, value in expected.items():
            assert found[part] == value, f"{name}: {part}"


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def forget_the_optimizer(run: Path) -> None:
    """Replace the newest optimizer state by that of a fresh one, digest included."""
    newest, _ = checkpoint.find_latest(run)
    assert newest is not None
    state = torch.load(newest / "optimizer.pt", weights_only=True)
    torch.save({**state, "state": {}}, newest / "optimizer.pt")
    manifest = json.loads((newest / "manifest.json").read_text())
    manifest["files"]["optimizer.pt"] = digest_of(newest / "optimizer.pt")
    (newest / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture(scope="module")
def forked() -> Iterator[Forked]:
    with Forked() as found:
        yield found


@pytest.fixture(scope="module")
def runs(recipe_file: Path, tmp_path_factory: pytest.TempPathFactory, forked: Forked) -> Runs:
    """All of them: what is broken off, then what goes on."""
    top = tmp_path_factory.mktemp("runs")
    begun = {"unbroken": "", "repeated": "", **KILLS, "stopped": "env 0 1 INT"}
    folders = {name: top / str(number) for number, name in enumerate(begun)}
    train = ["agentgym", "train", recipe_file, "--out"]
    ended = [
        forked.run([*train, folders[name]], signal_at=signal_at)
        for name, signal_at in begun.items()
    ]
    assert [code for code, _ in ended] == [0, 0] + [-signal.SIGKILL] * len(KILLS) + [130]
    last_steps = {}
    for name in KILLS:
        rows = store.open(folders[name]).metrics()
        last_steps[name] = max(row.get("step", -1) for row in rows)
        assert not (folders[name] / "report.json").exists()
    for name in ("cut back", "forgetful", "damaged"):
        folders[name] = shutil.copytree(folders["unbroken"], top / name.partition(" ")[0])
        (folders[name] / "report.json").unlink()
        if name == "damaged":
            flip_a_bit(folders[name] / "checkpoints" / LAST / "model.safetensors")
        else:
            shutil.rmtree(folders[name] / "checkpoints" / LAST)
    forget_the_optimizer(folders["forgetful"])
    again = {"stopped again": "credit 1 1 INT", "stopped now": "credit 0 1 INT INT"}
    going_on = [*KILLS, "cut back", "forgetful", "damaged", "stopped"]
    for name in (*again, *going_on):
        folder = folders["stopped" if name in again else name]
        words = [*train, folder, "--resume"]
        ended.append(forked.run(words, signal_at=again.get(name, "")))
    codes = [code for code, _ in ended[len(begun) :]]
    return Runs(
        folders=folders,
        last_steps=last_steps,
        codes=dict(zip([*again, *going_on], codes, strict=True)),
        said="".join(said for _, said in ended),
    )


@pytest.mark.slow
def test_two_runs_with_one_seed_are_one(runs: Runs) -> None:
    runs.assert_as_unbroken("repeated")
    metrics = store.open(runs.folders["unbroken"]).metrics()
    assert sum(row.get("grad_norm", 0) > 0 for row in metrics) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("name", KILLS)
def test_a_killed_run_goes_on_to_the_same_bits(runs: Runs, name: str) -> None:
    # Killed in step 3, or at its end; the checkpoint before is that of two steps.
    assert runs.last_steps[name] in (2, 3)
    assert runs.codes[name] == 0
    assert "resuming at step 2" in runs.said
    runs.assert_as_unbroken(name)


@pytest.mark.slow
def test_the_optimizers_state_is_needed(runs: Runs) -> None:
    """The other way round: the comparison above would notice a loss of state."""
    assert runs.codes["cut back"] == runs.codes["forgetful"] == 0
    runs.assert_as_unbroken("cut back")
    forgetful, whole = (content(runs.folders[name]) for name in ("forgetful", "cut back"))
    assert forgetful["weights"] != whole["weights"]


@pytest.mark.slow
def test_a_damaged_newest_checkpoint_costs_its_steps_and_no_more(runs: Runs) -> None:
    weights = runs.folders["damaged"] / "checkpoints" / LAST / "model.safetensors"
    assert f"skipped a damaged checkpoint: {weights}: altered since it was saved" in runs.said
    assert "resuming at step 4" in runs.said
    assert runs.codes["damaged"] == 0
    runs.assert_as_unbroken("damaged")


@pytest.mark.slow
def test_ctrl_c_once_saves_and_stops_and_twice_stops_now(runs: Runs) -> None:
    """Before the first step, after a step, at once; and then to the end."""
    assert "stopping after this evaluation; press Ctrl-C again to stop now" in runs.said
    assert "stopping after this step; press Ctrl-C again to stop now" in runs.said
    assert "stopped before the first step; --resume goes on" in runs.said
    assert runs.codes["stopped again"] == 130
    assert "stopped after step 1; --resume goes on" in runs.said
    assert runs.codes["stopped now"] == 130
    assert "agentgym: interrupted" in runs.said
    assert runs.codes["stopped"] == 0
    runs.assert_as_unbroken("stopped")


def find_followers(signal_at: str) -> set[psutil.Process]:
    """The processes that follow a command which was told to die."""
    return {
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if "follow()" in " ".join(process.info["cmdline"] or ())
        and (process.info["environ"] or {}).get("SIGNAL_AT") == signal_at
    }


@pytest.mark.slow
def test_two_processes_whiten_over_both_repeat_resume_and_leave_nobody_behind(
    corridor_model: Path, tmp_path: Path, forked: Forked
) -> None:
    """A run with a critic unbroken, and one killed as it saves its fourth step, and resumed."""
    recipe = tmp_path / "recipe.yaml"
    settings = {**SETTINGS, "credit": {"name": "gae_token"}}
    recipe.write_text(config.dump(small_recipe(corridor_model, **settings)))
    unbroken, killed = tmp_path / "unbroken", tmp_path / "killed"
    train = ["agentgym", "train", recipe, "--processes", "2", "--out"]
    code, said = forked.run([*train, unbroken])
    assert code == 0, said
    followers, at_save = set(), "save 0 3 KILL"  # the checkpoint of step 4
    with ThreadPoolExecutor() as pool:
        ended = pool.submit(forked.run, [*train, killed], signal_at=at_save)
        while not ended.done():
            followers |= find_followers(at_save)
            time.sleep(0.5)
    assert ended.result()[0] == -signal.SIGKILL
    assert followers
    _, alive = psutil.wait_procs(followers, timeout=60)
    assert alive == []
    code, said = forked.run([*train, killed, "--resume"])
    assert code == 0, said
    assert "resuming at step 2" in said
    found, expected = content(killed), content(unbroken)
    for part, value in expected.items():
        assert found[part] == value, part
    scheme, run = registry.credits.make("gae_token"), store.open(unbroken)
    for step in range(5):
        groups = run.groups(f"step-{step:06}")
        # Credit of the whole stored step, in one process: to the last bit what the loss saw.
        assert assign(groups, scheme(combine(groups, {}))) == groups
    weights = torch.load(unbroken / "checkpoints" / LAST / "critic.pt", weights_only=True)
    assert float(weights["outer.weight"].abs().max()) > 0

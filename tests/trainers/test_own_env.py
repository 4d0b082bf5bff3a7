"""An environment that a script registers is found again by the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import seeded_env

from agentgym.cli import main

REGISTER = 'register("own/NAME-v0", Guess, max_turns=3)'
ODDLY_NAMED = 'register("own/NAME-v0", type("Odd.Name", (Guess,), {}), max_turns=3)'
TRAIN = """
    print(
        train(
            "small",
            out="run",
            env={"id": "own/NAME-v0"},
            warm_start={"demonstrations": 20, "updates": 2},
            train={"steps": 1, "tasks_per_step": 2},
            eval={"tasks": 2},
        ).summary()
    )
"""
GUARD = 'if __name__ == "__main__":'


def run_script(folder: Path, name: str, *lines: str) -> None:
    """Write a script with an environment of its own, and run it where it lies."""
    text = Path(seeded_env.__file__).read_text(encoding="utf-8")
    imports = "from agentgym import register\nfrom agentgym.trainers import train\n"
    rest = "\n".join(lines).replace("NAME", name)
    (folder / f"{name}.py").write_text(text + imports + rest, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, f"{name}.py"], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_run_of_a_scripts_environment_is_judged_resumed_and_read_from_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_script(tmp_path, "guarded", REGISTER, GUARD, TRAIN)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["eval", "../run"]) == 2
    said = capsys.readouterr().err
    assert "there is no module 'guarded'; run this in the folder where 'guarded' lies" in said
    monkeypatch.chdir(tmp_path)
    assert main(["eval", "run", "--tasks", "2", "--json"]) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert json.loads(capsys.readouterr().out)["panel"] == report["panel"]
    assert main(["replay", "run"]) == 0
    config = ["train", "run/config.yaml", "--out", "run", "--resume"]
    assert main(config) == 0
    assert main([*config, "--train.steps", "2", "--env.id", "own/else-v0"]) == 2
    assert "env.id is own/guarded-v0, not own/else-v0" in capsys.readouterr().err


def test_a_script_that_trains_when_it_is_imported_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_script(tmp_path, "unguarded", REGISTER, "if True:", TRAIN)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    assert main(["eval", "run"]) == 2
    said = capsys.readouterr().err
    assert "'unguarded' starts a run when it is imported; put that part under if __name__" in said


def test_an_environment_that_nobody_else_can_import_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_script(tmp_path, "inside", ODDLY_NAMED, GUARD, TRAIN)
    monkeypatch.chdir(tmp_path)
    assert main(["eval", "run"]) == 2
    said = capsys.readouterr().err
    assert "write 'module:Class' as the entry_point in 'run/env.json'" in said

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
SCRIPTS = {
    "guarded": (REGISTER, GUARD, TRAIN),
    "unguarded": (REGISTER, "if True:", TRAIN),
    "inside": (ODDLY_NAMED, GUARD, TRAIN),
}


IN_TURN = """
import os, runpy, sys
for name in sys.argv[1:]:
    os.chdir(name)
    sys.argv = [f"{name}.py"]
    runpy.run_path(f"{name}.py", run_name="__main__")
    os.chdir("..")
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scripts with an environment of their own that have trained on it, each where it lies."""
    top = tmp_path_factory.mktemp("scripts")
    imports = "from agentgym import register\nfrom agentgym.trainers import train\n"
    text = Path(seeded_env.__file__).read_text(encoding="utf-8") + imports
    for name, lines in SCRIPTS.items():
        (top / name).mkdir()
        rest = "\n".join(lines).replace("NAME", name)
        (top / name / f"{name}.py").write_text(text + rest, encoding="utf-8")
    # As three commands would, without importing everything three times.
    done = subprocess.run(
        [sys.executable, "-c", IN_TURN, *SCRIPTS], cwd=top, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return top


@pytest.mark.slow
def test_a_run_of_a_scripts_environment_is_judged_resumed_and_read_from_its_folder(
    scripts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = scripts / "guarded"
    monkeypatch.setattr(sys, "path", list(sys.path))
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert main(["eval", "../run"]) == 2
    said = capsys.readouterr().err
    assert "there is no module 'guarded'; run this in the folder where 'guarded' lies" in said
    monkeypatch.chdir(folder)
    assert main(["eval", "run", "--tasks", "2", "--json"]) == 0
    report = json.loads((folder / "run" / "report.json").read_text())
    assert json.loads(capsys.readouterr().out)["panel"] == report["panel"]
    assert main(["replay", "run"]) == 0
    config = ["train", "run/config.yaml", "--out", "run", "--resume"]
    assert main(config) == 0
    assert main([*config, "--train.steps", "2", "--env.id", "own/else-v0"]) == 2
    assert "env.id is own/guarded-v0, not own/else-v0" in capsys.readouterr().err


def test_a_script_that_trains_when_it_is_imported_is_told_what_to_do(
    scripts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(scripts / "unguarded")
    assert main(["eval", "run"]) == 2
    said = capsys.readouterr().err
    assert "'unguarded' starts a run when it is imported; put that part under if __name__" in said


def test_an_environment_that_nobody_else_can_import_says_what_to_do(
    scripts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(scripts / "inside")
    assert main(["eval", "run"]) == 2
    said = capsys.readouterr().err
    assert "write 'module:Class' as the entry_point in 'run/env.json'" in said

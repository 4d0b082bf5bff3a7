"""The gold answer of a task never leaves the panel: not into prompts, files, names or messages."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from canary_env import CANARY
from small_runs import small_recipe

from agentgym import store
from agentgym.trainers import train
from agentgym.trainers.policy import Policy


def test_a_whole_run_on_information_gain_never_shows_the_answer(
    corridor_model: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    recipe = small_recipe(
        corridor_model,
        env={"id": "canary_env:Canary", "max_turns": 5, "eval": "gen1/train"},
        train={"steps": 2, "tasks_per_step": 2, "group_size": 2, "checkpoint_every": 1},
        credit={"name": "cigpo"},
        rewards={"information_gain": {"scorer": "reference", "prefix": "answer["}},
        fidelity={"max_logprob_gap": 1.0},
    )
    folder = train(recipe, out=tmp_path / "run").folder
    said = capfd.readouterr()
    assert CANARY not in said.out + said.err + caplog.text

    run = store.open(folder)
    tokenizer = Policy.load(corridor_model, device="cpu").tokenizer
    num_gains = 0
    for path in run.files():
        for episode in store.read_episodes(path):
            assert CANARY not in repr(episode)
            seen = [i for turn in episode.turns for i in (*turn.prompt_ids, *turn.action_ids)]
            assert CANARY not in tokenizer.decode(seen)
            gains = [turn.channels.get("information_gain") for turn in episode.turns]
            num_gains += sum(gain is not None for gain in gains)
    assert num_gains > 0, "no answer was ever scored: the test shows nothing"

    hidden = {"panel.parquet", "panel-eval.parquet"}
    for path in folder.rglob("*"):
        assert CANARY not in str(path)
        if path.is_file() and path.name not in hidden:
            assert CANARY.encode() not in path.read_bytes(), path
    # It does stand where it belongs, so the search above could have found it.
    assert CANARY in repr(store.read_panel(folder / "panel.parquet"))

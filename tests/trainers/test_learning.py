"""The toys are learned by their recipes: Corridor by SALT, Lookup by information gain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentgym import store
from agentgym.trainers import train
from agentgym.trainers.run import RunResult

pytestmark = pytest.mark.slow


def learn(recipe: str, folder: Path, *, steps: int) -> RunResult:
    """A shipped recipe, shortened."""
    return train(recipe, out=folder, train={"steps": steps}, eval={"samples": 4})


def check_learned(result: RunResult, *, credit: str) -> None:
    """The unseen tasks are solved, more than before, and the report says by which scheme."""
    report: Any = result.report
    assert report["credit"]["name"] == credit
    assert report["problems"] == []
    assert report["after"]["success"] >= 0.9
    assert report["gain_ci95"][0] > 0


def test_salt_solves_corridor(tmp_path: Path) -> None:
    check_learned(learn("corridor", tmp_path / "run", steps=12), credit="salt")


def test_information_gain_solves_lookup(tmp_path: Path) -> None:
    result = learn("lookup", tmp_path / "run", steps=80)
    check_learned(result, credit="igpo")
    groups = store.open(result.folder).groups("step-000001")
    for episode in (episode for group in groups for episode in group.valid):
        *gains, last = [turn.channels["information_gain"] for turn in episode.turns]
        assert last is None
        assert all(gains), f"{episode.id}: a lookup without a gain among {gains}"
        # Outcomes alone would give every turn the same.
        assert len(set(episode.advantages or ())) > 1 or not gains

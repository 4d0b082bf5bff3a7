"""Lookup is learned by its recipe, from information gain; README's commands do Corridor's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentgym import store
from agentgym.trainers import train


@pytest.mark.slow
def test_information_gain_solves_lookup(tmp_path: Path) -> None:
    """The unseen tasks, more of them than before; and no lookup is without its gain."""
    result = train("lookup", out=tmp_path / "run", train={"steps": 30})
    report: Any = result.report
    assert report["credit"]["name"] == "igpo"
    assert report["problems"] == []
    assert report["after"]["success"] >= 0.9
    assert report["gain_ci95"][0] > 0
    groups = store.open(result.folder).groups("step-000001")
    for episode in (episode for group in groups for episode in group.valid):
        *gains, last = [turn.channels["information_gain"] for turn in episode.turns]
        assert last is None
        assert all(gains), f"{episode.id}: a lookup without a gain among {gains}"
        # Outcomes alone would give every turn the same.
        assert len(set(episode.advantages or ())) > 1 or not gains

"""Fixtures of the trainer's tests."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def corridor_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder: tiny, with some practice in Corridor; all of pytest's workers share it."""
    from small_runs import warm_model

    top = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        top = top.parent
    with (top / "corridor.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = top / "corridor" / "warm"
        return made if made.exists() else warm_model(top / "corridor")

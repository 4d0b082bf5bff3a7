"""Fixtures of the trainer's tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def corridor_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder: tiny, with some practice in Corridor."""
    from small_runs import warm_model

    return warm_model(tmp_path_factory.mktemp("corridor"))

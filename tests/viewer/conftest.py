"""A served run: two train steps of hand-made groups, credited by SALT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from served import serving
from stored_runs import by_seed, write_run


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's folder. Beside it lies a file that nobody may get to see."""
    folder = tmp_path_factory.mktemp("viewer") / "run"
    write_run(folder, by_seed)
    (folder.parent / "secret.txt").write_text("CANARY", encoding="utf-8")
    (folder / "episodes" / "notes.txt").write_text("CANARY", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def port(stored: Path) -> Iterator[int]:
    """Where it is served."""
    with serving(stored) as found:
        yield found

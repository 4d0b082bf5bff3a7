"""One server with runs sound and broken, and a browser to read them with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from graph_groups import S1, random_groups
from playwright.sync_api import Browser, Page, sync_playwright
from served import serving
from stored_runs import write_run
from viewed_runs import Runs, write_others

from agentgym.errors import UsageError
from agentgym.sandboxes.chromium import find_chromium
from agentgym.types import Group


def played(step: int) -> list[Group]:
    """The worked group first, whose members part at known turns, and random ones."""
    return [S1, *random_groups(step, 3)]


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first run's folder. Beside it lies a file that nobody may get to see."""
    folder = tmp_path_factory.mktemp("viewer") / "run"
    write_run(folder, played)
    (folder.parent / "secret.txt").write_text("CANARY", encoding="utf-8")
    (folder / "episodes" / "notes.txt").write_text("CANARY", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of the other runs."""
    return write_others(tmp_path_factory.mktemp("others"))


@pytest.fixture(scope="session")
def growing(others: list[Path]) -> Path:
    """The run that one test lets grow."""
    return others[Runs.GROWING - 1]


@pytest.fixture(scope="session")
def port(stored: Path, others: list[Path]) -> Iterator[int]:
    """Where all of them are served."""
    with serving(stored, *others) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium; the package's own builds are not downloaded.

    No longer than a module: while it lives, Playwright's event loop counts as running in this
    thread, and no other test could run one.
    """
    try:
        path = find_chromium()
    except UsageError as error:
        pytest.skip(f"{error}; `make test` installs it")
    quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update"]
    root = ["--no-sandbox"] if os.getuid() == 0 else []  # Chromium's own refuses to run as root
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=[*quiet, *root])
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page of a laptop's size; an error in its scripts fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    found = context.new_page()
    errors: list[str] = []
    found.on("pageerror", lambda error: errors.append(str(error)))
    yield found
    context.close()
    assert errors == []

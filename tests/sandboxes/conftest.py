"""Counts what the tests tried on each sandbox."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest

COLUMNS = {"attack": "escapes", "daemon": "survivors", "canary": "found"}
"""What a test of the promises plants, and what it is called where one comes through."""


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Sandboxes that other programs do not list: each of them begins by removing all orphans."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line a driver: how many attempts of each kind were made, and how many came through."""
    tried: Counter[tuple[str, str]] = Counter()
    through: Counter[tuple[str, str]] = Counter()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            facts = dict(report.user_properties)
            if "driver" in facts and not COLUMNS.keys() & facts.keys():
                facts["attack"] = 1
            for kind in COLUMNS.keys() & facts.keys():
                key = (facts["driver"], kind)
                tried[key] += facts[kind]
                through[key] += facts[kind] * (outcome == "failed")
    for driver in sorted({driver for driver, _ in tried}):
        told = [
            f"{kind} {tried[driver, kind]}, {name} {through[driver, kind]}"
            for kind, name in COLUMNS.items()
        ]
        terminalreporter.write_line(f"{driver}: {'; '.join(told)}")

"""`make bench`: one table of all benchmarks."""

from __future__ import annotations

from pathlib import Path

from benchmarks.bench import PARTS, table

ROOT = Path(__file__).parent.parent


APART = {"gpu_check", "nouns", "study", "swe", "vs_trl"}
"""Benchmarks with a target of their own or none, as they take long or need a GPU or a model."""
HELPERS = {"__init__", "bench", "groups", "noun_weights", "plans", "report"} | {
    f"vs_trl_{part}" for part in ("job", "ours", "theirs")
}


def test_every_benchmark_is_run() -> None:
    found = {path.stem for path in (ROOT / "tests" / "benchmarks").glob("*.py")}
    assert found - APART - HELPERS == set(PARTS)


def test_the_table_has_ratios_bars_and_failures() -> None:
    plain = {"bar": None, "better": "higher", "ok": True}
    rows = [
        {"what": "speed", "value": 1234.5, "unit": "tokens/s", **plain},
        {"what": "floor", "value": 1.25, "unit": "ratio", **plain},
        {"what": "gain", "value": 3.5, "unit": "ratio", "bar": 4, "better": "higher", "ok": False},
        {"what": "time", "value": 0.5, "unit": "s", "bar": 1.0, "better": "lower", "ok": True},
    ]
    lines = table([{"name": "a", "rows": rows}, {"name": "b", "rows": [], "error": "exit code 1"}])
    assert lines.splitlines()[2:] == [
        "| a | floor | 1.25 ratio |  |  |",
        "| a | gain | 3.5 ratio | >= 4 | MISSED |",
        "| a | time | 0.5 s | <= 1 | ok |",
        "| b | exit code 1 | | | FAILED |",
    ]

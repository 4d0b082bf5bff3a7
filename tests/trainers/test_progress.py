"""Progress for people: how far, how long, and how long still."""

from __future__ import annotations

import re

import pytest

from agentgym.trainers.progress import Clock, phase, plain_lines


def test_the_time_left_is_that_of_the_units_after_the_first_call() -> None:
    times = iter([0.0, 100.0, 110.0, 150.0, 160.0])
    clock = Clock(10, first=2, now=lambda: next(times))
    assert clock.eta(3) == "ETA 12 min"  # 7 units of 100 s, for want of better
    assert clock.eta(4) == "ETA 60 s"  # 6 units of 10 s
    assert clock.eta(6) == "ETA 67 s"  # 4 units of 50 / 3 s
    assert clock.eta(10) == ""


def test_plain_lines_say_how_long_it_will_still_take(capsys: pytest.CaptureFixture[str]) -> None:
    with phase("counting", total=20, shown=True) as advance:
        for done in range(1, 21):
            advance(done, "loss 1.0")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    for line in lines[:-1]:
        assert re.fullmatch(r"counting \d+/20  0 s  ETA 0 s  loss 1.0", line)
    assert lines[-1] == "counting 20/20  0 s  loss 1.0"


def test_after_a_minute_without_a_line_the_next_gets_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    times = (25.0 * half for half in range(100))  # two looks at the clock are a unit of 50 s
    (advance,) = plain_lines("counting", 80, Clock(80, now=lambda: next(times)))
    for done in range(1, 9):
        advance(done, "")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["2/80", "4/80", "6/80", "8/80"]


def test_the_bar_has_it_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # how rich is told that it writes to a terminal
    monkeypatch.setenv("COLUMNS", "100")
    with phase("counting", total=20, shown=True) as advance:
        advance(5, "loss 1.0")
    shown = capsys.readouterr().out
    assert "ETA 0 s" in shown
    assert "loss 1.0" in shown


def test_followers_say_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with phase("counting", total=1, shown=False) as advance:
        advance(1, "")
    assert capsys.readouterr().out == ""

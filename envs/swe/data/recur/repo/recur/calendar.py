"""Arithmetic with days and months."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta


def is_leap(year: int) -> bool:
    """Whether February has 29 days."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def last_day(year: int, month: int) -> int:
    """The number of days in a month."""
    if month == 2:
        return 29 if is_leap(year) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def add_months(start: date, months: int) -> date:
    """The same day of a later (or earlier) month; its last day where it is too short."""
    place = start.year * 12 + start.month - 1 + months
    year, month = place // 12, place % 12 + 1
    return date(year, month, min(start.day, last_day(year, month)))


def next_workday(day: date, holidays: Collection[date] = ()) -> date:
    """The day itself, or the first one after it that is no weekend and no holiday."""
    while day.weekday() >= 5 or day in holidays:
        day += timedelta(days=1)
    return day

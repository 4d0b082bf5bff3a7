"""Rules such as "every 2 weeks" and the days on which they fall."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count, islice

from recur.calendar import add_months, next_workday

FORM = re.compile(r"every (?:(\d+) )?(day|week|month|year)s?(?: (on workdays))?")


@dataclass(frozen=True)
class Rule:
    """How often something comes again."""

    every: int
    unit: str
    workdays: bool = False
    """Whether a day that is no workday gives way to the next one that is."""

    def days(self, start: date, holidays: Collection[date] = ()) -> Iterator[date]:
        """All days from the start on, the start included.

        What is moved to a workday does not move the days after it.
        """
        for number in count():
            day = self._day(start, number * self.every)
            yield next_workday(day, holidays) if self.workdays else day

    def first(self, start: date, size: int, holidays: Collection[date] = ()) -> list[date]:
        """The first few days."""
        return list(islice(self.days(start, holidays), size))

    def between(self, start: date, begin: date, end: date) -> list[date]:
        """The days from `begin` on and before `end`."""
        found = []
        for day in self.days(start):
            if day >= end:
                return found
            if day >= begin:
                found.append(day)
        return found

    def _day(self, start: date, units: int) -> date:
        if self.unit == "day":
            return start + timedelta(days=units)
        if self.unit == "week":
            return start + timedelta(weeks=units)
        return add_months(start, units * (12 if self.unit == "year" else 1))


def parse_rule(text: str) -> Rule:
    """Read a rule such as "every day", "every 2 weeks" or "every month on workdays"."""
    found = FORM.fullmatch(" ".join(text.lower().split()))
    if found is None or found[1] == "0":
        raise ValueError(f"no rule: {text!r}")
    return Rule(every=int(found[1] or 1), unit=found[2], workdays=found[3] is not None)

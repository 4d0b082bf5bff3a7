"""Dates that come again: rules, and the days on which they fall."""

from recur.calendar import add_months, last_day, next_workday
from recur.rule import Rule, parse_rule

__all__ = ["Rule", "add_months", "last_day", "next_workday", "parse_rule"]

"""Amounts in whole cents; no float is ever made."""

from __future__ import annotations

import re
from collections.abc import Sequence

AMOUNT = re.compile(r"(?P<sign>-?)(?P<whole>\d{1,3}(?:,\d{3})*|\d+)(?:\.(?P<part>\d{1,2}))?")


def parse_cents(text: str) -> int:
    """Read an amount such as "12", "1,250.5" or "-0.07"."""
    found = AMOUNT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"no amount: {text!r}")
    whole = int(found["whole"].replace(",", ""))
    cents = int((found["part"] or "0").ljust(2, "0"))
    total = 100 * whole + cents
    return -total if found["sign"] else total


def format_cents(cents: int) -> str:
    """Write an amount with two decimals and commas between thousands."""
    sign = "-" if cents < 0 else ""
    whole, part = divmod(abs(cents), 100)
    return f"{sign}{whole:,}.{part:02d}"


def share(cents: int, weights: Sequence[int]) -> list[int]:
    """Share an amount out in proportion to whole weights.

    The shares add up to the amount. Each is the exact one rounded down, and the cents that are left
    go to the largest remainders, the first of equal ones first. A negative amount is shared as the
    positive one would be, with the sign of each share turned.
    """
    if any(weight < 0 for weight in weights):
        raise ValueError("a weight must not be negative")
    total = sum(weights)
    if total == 0:
        raise ValueError("at least one weight must be positive")
    sign = -1 if cents < 0 else 1
    amount = abs(cents)
    shares = [amount * weight // total for weight in weights]
    rests = [amount * weight % total for weight in weights]
    order = sorted(range(len(weights)), key=lambda place: (-rests[place], place))
    for place in order[: amount - sum(shares)]:
        shares[place] += 1
    return [sign * each for each in shares]

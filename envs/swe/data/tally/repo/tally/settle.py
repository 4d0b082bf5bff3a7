"""Who owes what after shared expenses, and how to pay it back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tally.money import share

Expense = tuple[str, int, Mapping[str, int]]
"""Who paid, how many cents, and the weight of each who took part."""


def balances(expenses: Iterable[Expense]) -> dict[str, int]:
    """What each person is owed (positive) or owes (negative); they add up to nothing."""
    found: dict[str, int] = {}
    for payer, cents, weights in expenses:
        found[payer] = found.get(payer, 0) + cents
        for name, part in zip(weights, share(cents, list(weights.values())), strict=True):
            found[name] = found.get(name, 0) - part
    return found


def settle(owed: Mapping[str, int]) -> list[tuple[str, str, int]]:
    """Payments (from, to, cents) that bring every balance to zero.

    The largest debt is paid to the largest credit first, names in order where they are equal; no
    more payments are made than there are people less one.
    """
    if sum(owed.values()) != 0:
        raise ValueError("balances must add up to zero")
    left = dict(owed)
    payments = []
    while any(left.values()):
        debtor = min(sorted(left), key=lambda name: left[name])
        creditor = max(sorted(left), key=lambda name: left[name])
        cents = min(-left[debtor], left[creditor])
        left[debtor] += cents
        left[creditor] -= cents
        payments.append((debtor, creditor, cents))
    return payments

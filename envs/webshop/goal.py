"""A goal: what an instruction asks for, and the price that it allows."""

from __future__ import annotations

import random
from dataclasses import dataclass

from agentgym.envs.webshop.product import Product

NO_LIMIT = 1_000_000.0
"""The price limit of a goal that names none."""
LIMITS = tuple(10.0 * step for step in range(1, 100))
NUM_CANDIDATES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What to buy."""

    product: Product
    """One that meets the goal; others may, too."""
    attributes: tuple[str, ...]
    """At least one."""
    options: tuple[str | tuple[str, str], ...]
    """Values of goals that people wrote; pairs of name and value of synthetic ones."""
    price_limit: float = NO_LIMIT


def draw_price_limit(price: float, generator: random.Random) -> float:
    """A limit for a product of that price, or `NO_LIMIT` near and beyond the highest one.

    The larger of two of the next four multiples of ten above the price.
    """
    above = [limit for limit in LIMITS if limit > price][:NUM_CANDIDATES]
    return max(generator.sample(above, 2)) if len(above) > 1 else NO_LIMIT


def price_clause(limit: float) -> str:
    """How an instruction ends that has a limit.

    >>> price_clause(40.0)
    ', and price lower than 40.00 dollars'
    """
    return "" if limit == NO_LIMIT else f", and price lower than {limit:.2f} dollars"

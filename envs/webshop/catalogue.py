"""The generated shop: products drawn by counter, so that a larger shop begins as a smaller one.

Every four products are a family: one brand's versions of one thing, which differ in attributes,
options and price. Product i hangs on nothing but i.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from agentgym.envs.webshop.kinds import KINDS, OPTION_VALUES, Kind
from agentgym.envs.webshop.product import Product
from agentgym.envs.webshop.reward import SEPARATOR
from agentgym.errors import UsageError

SIZES = {"small": 1_000, "medium": 10_000, "large": 100_000}
"""Named sizes; any number of products can be had."""
MOST = 1_000_000
FAMILY = 4
NUM_SHARED, NUM_OWN = 4, 2
"""Attributes that a family shares, and that each version has besides, as far as there are any."""
RANGE_SHARE = 0.15
"""How often a price is shown as a range."""

SYLLABLES = tuple(
    "bel cor dan el fir gal hav im jor kel lum mar nor or pol quin ros sel tan".split()
)
ENDINGS = tuple("a en ex ia io is o ora un us".split())
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
STRIDE, SPACE = 1_000_000_007, 36**8
"""Coprime, so that a number times the one modulo the other is its own."""

FILLERS = (
    "made for everyday life, at home or on the go",
    "a gift that family and friends will like",
    "tested by our team before it leaves the house",
    "what our customers ask for most",
    "designed with care, down to the last detail",
    "you will notice the difference from the first day",
)
PROMISES = (
    "SATISFACTION FIRST - contact us with any question, we answer within a day",
    "WHAT YOU GET - one item as described, in a plain box",
    "OUR STORY - a small family business since 1987",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What the versions of one thing have in common."""

    kind: Kind
    brand: str
    traits: tuple[str, ...]
    """All of the kind's, in an order of the family's own: the first ones are shared."""
    price: float


def asin_of(number: int) -> str:
    """The product's number in the shop's own form: ten characters, each product its own.

    >>> asin_of(0), asin_of(1)
    ('B000000000', 'B000GJDGXZ')
    """
    left = number * STRIDE % SPACE
    digits = ""
    for _ in range(8):
        left, digit = divmod(left, len(DIGITS))
        digits = DIGITS[digit] + digits
    return f"B0{digits}"


@cache
def draw_family(number: int) -> Family:
    """A family; kinds come in turn, so that every beginning of a shop is balanced."""
    kind = KINDS[number * 13 % len(KINDS)]
    generator = random.Random(f"webshop gen1 family {number}")
    brand = "".join(generator.choices(SYLLABLES, k=2)) + generator.choice(ENDINGS)
    return Family(
        kind=kind,
        brand=brand.title(),
        traits=tuple(generator.sample(kind.traits, len(kind.traits))),
        price=generator.uniform(*kind.prices),
    )


def draw_product(number: int) -> Product:
    """The product of that number."""
    family = draw_family(number // FAMILY)
    kind = family.kind
    generator = random.Random(f"webshop gen1 product {number}")
    own = generator.sample(family.traits[NUM_SHARED:], NUM_OWN)
    traits = generator.sample([*family.traits[:NUM_SHARED], *own], NUM_SHARED + NUM_OWN)
    # Two in the title, three among the bullet points, one in the description.
    options = {name: _draw_values(name, generator) for name in kind.options}
    price, price_text = _draw_price(family.price * generator.uniform(0.7, 1.6), generator)
    return Product(
        asin=asin_of(number),
        title=_title(family, traits[:2], generator),
        description=_describe(family, traits[5], generator),
        bullets=_bullets(traits[2:5], generator),
        price=price,
        price_text=price_text,
        category=kind.category,
        product_category=f" {SEPARATOR} ".join(kind.path),
        query=kind.query,
        options=options,
        attributes=tuple(sorted(traits)),
    )


def _draw_values(name: str, generator: random.Random) -> tuple[str, ...]:
    """Some of the group's values, in its order."""
    values = OPTION_VALUES[name]
    kept = set(generator.sample(range(len(values)), generator.randint(3, min(6, len(values)))))
    return tuple(value for place, value in enumerate(values) if place in kept)


def _draw_price(about: float, generator: random.Random) -> tuple[float, str]:
    """A price, and how it is shown."""
    low = int(about) + generator.choice((0.0, 0.5, 0.95, 0.99))
    if generator.random() >= RANGE_SHARE:
        return low, f"${low}"
    high = low + generator.randint(1, 12)
    return generator.uniform(low, high), f"${low} to ${high}"


def _title(family: Family, traits: list[str], generator: random.Random) -> str:
    kind = family.kind
    uses = ", ".join(generator.sample(kind.uses, 2))
    first, second, thing = traits[0].title(), traits[1].title(), kind.noun.title()
    brand = family.brand
    return generator.choice(
        (
            f"{brand} {first} {thing} for {uses}, {second}",
            f"{brand} {thing} - {first}, {second} - {uses}",
            f"{first} {thing} by {brand}, {second}, {uses}",
            f"{brand} {second} {first} {thing}, {uses}",
        )
    )


def _bullets(traits: list[str], generator: random.Random) -> tuple[str, ...]:
    fillers = generator.sample(FILLERS, len(traits))
    loud = generator.random() < 0.5
    points = [
        f"{trait.upper() if loud else trait.capitalize()} - {filler}"
        for trait, filler in zip(traits, fillers, strict=True)
    ]
    return (*points, generator.choice(PROMISES))


def _describe(family: Family, trait: str, generator: random.Random) -> str:
    verb = "are" if family.kind.is_plural else "is"
    subject = f"{'These' if family.kind.is_plural else 'This'} {family.kind.noun}"
    return generator.choice(
        (
            f"{subject} by {family.brand} {verb} {generator.choice(FILLERS)}. Also: {trait}.",
            f"Looking for something {trait}? {subject} {verb} {generator.choice(FILLERS)}.",
            f"{family.brand} stands for quality. {subject}: {trait}, and more.",
        )
    )


@cache
def draw_products(count: int) -> tuple[Product, ...]:
    """The first products; built once per process.

    Raises:
        UsageError: there is no shop of that size.
    """
    if not 1 <= count <= MOST:
        raise UsageError(f"a generated shop has from 1 to {MOST} products, not {count}")
    return tuple(map(draw_product, range(count)))

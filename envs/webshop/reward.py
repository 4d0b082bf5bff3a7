"""The reward of a purchase, exactly WebShop's, with its parts.

Source: WebShop (2207.01206), section 3.2, and its code; where they differ, the code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from agentgym.envs.webshop.colors import COLORS, reduce_to_color
from agentgym.envs.webshop.fuzzy import alike
from agentgym.envs.webshop.goal import Goal
from agentgym.envs.webshop.product import Product

Nouns = Callable[[str], Sequence[str]]
"""Gives the nouns of a title in lower case, a repeated one each time."""

NO_NOUNS = 0.2
"""The title score where the goal's title has no noun."""
SEPARATOR = "\u203a"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeMatch:
    """Whether the purchase is the kind of thing that was asked for."""

    r_type: float
    query_match: bool
    category_match: bool
    title_score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """The reward of a purchase and its parts: `r_` are shares that were met, `w_` their weights."""

    reward: float
    r_type: float
    r_att: float
    w_att: float
    query_match: bool
    category_match: bool
    title_score: float
    r_option: float | None
    """None where the goal asks for no option."""
    w_option: float | None
    r_price: bool
    w_price: float

    @property
    def success(self) -> bool:
        """Whether everything that was asked for was met."""
        return self.reward == 1.0

    @property
    def info(self) -> dict[str, float]:
        """The parts that there are, by name."""
        return {name: part for name, part in asdict(self).items() if part is not None}


def grade_purchase(
    product: Product, goal: Goal, options: Mapping[str, str], *, nouns: Nouns
) -> Grade:
    """The reward of buying a product with those options chosen."""
    kind = match_type(product, goal, nouns=nouns)
    num_attributes = count_attributes(product, goal.attributes)
    num_options = count_options(list(options.values()), goal.options)
    r_price = product.price <= goal.price_limit
    # Divided by all that was asked for: each attribute, each option, and the price.
    asked = len(goal.attributes) + len(goal.options) + 1
    return Grade(
        reward=kind.r_type * ((num_attributes + num_options + r_price) / asked),
        r_type=kind.r_type,
        r_att=num_attributes / len(goal.attributes),
        w_att=len(goal.attributes) / asked,
        query_match=kind.query_match,
        category_match=kind.category_match,
        title_score=kind.title_score,
        r_option=num_options / len(goal.options) if goal.options else None,
        w_option=len(goal.options) / asked if goal.options else None,
        r_price=r_price,
        w_price=1 / asked,
    )


def match_type(product: Product, goal: Goal, *, nouns: Nouns) -> TypeMatch:
    """How well the kind of the purchase fits.

    The last two cases hold even where query and category match.
    """
    query_match = product.query == goal.product.query
    ours, theirs = map(_parts, (product.product_category, goal.product.product_category))
    category_match = len(ours & theirs) >= 2
    wanted = nouns(goal.product.title)
    # Divided by the goal's nouns with repeats, though equal ones are counted once above the line.
    common = len(set(nouns(product.title)) & set(wanted))
    title_score = common / len(wanted) if wanted else NO_NOUNS
    r_type = 1.0 if query_match or category_match or title_score > 0.2 else 0.5
    if title_score < 0.1:
        r_type = 0.1 if title_score else 0.0
    return TypeMatch(
        r_type=r_type,
        query_match=query_match,
        category_match=category_match,
        title_score=title_score,
    )


def _parts(product_category: str) -> set[str]:
    return {part.strip() for part in product_category.split(SEPARATOR)}


def count_attributes(product: Product, wanted: Sequence[str]) -> int:
    """How many of the attributes the product has, or names in a text of its own."""
    texts = (product.title.lower(), " ".join(product.bullets).lower(), product.description.lower())
    return sum(
        any(alike(attribute, each) for attribute in product.attributes)
        or any(each in text for text in texts)
        for each in wanted
    )


def count_options(chosen: Sequence[str], wanted: Sequence[str | tuple[str, str]]) -> int:
    """How many of the wanted options any of the chosen values fits."""
    ours = [reduce_to_color(value) for value in chosen]
    return sum(any(alike(value, _normal(each)) for value in ours) for each in wanted)


def _normal(option: str | tuple[str, str]) -> str:
    """What a wanted option is compared as.

    Of a pair only an element that is a colour word and nothing else counts as a colour; otherwise
    the pair is compared as Python prints it: name and value.
    """
    if isinstance(option, str):
        return reduce_to_color(option)
    return next((color for color in COLORS if color in option), str(option))

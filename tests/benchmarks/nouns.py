"""How often WebShop's reward is the same with spaCy's nouns: `python -m tests.benchmarks.nouns`.

Purchases for the tasks of all panels, a third each of the kind that is wanted, of its category and
of anything: a purchase of the right kind hardly hangs on nouns. Options are chosen as wanted where
the product has them. Purchases whose rewards differ are listed before the figures.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agentgym.envs.webshop.catalogue import SIZES, draw_products
from agentgym.envs.webshop.goal import Goal
from agentgym.envs.webshop.nouns import nouns, open_nouns
from agentgym.envs.webshop.product import Product
from agentgym.envs.webshop.reward import Nouns, grade_purchase
from agentgym.envs.webshop.tasks import SPLITS, goal_of, load_panel
from agentgym.errors import UsageError

from .report import Row, show  # noqa: TID252  one name when run (tests.) and when type-checked

COUNT, SEED = 2_000, 0
MIXES = ("the right kind", "its category", "anything")


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """A product that was bought for a goal."""

    mix: str
    goal: Goal
    product: Product
    options: Mapping[str, str]

    def reward(self, nouns: Nouns) -> float:
        """What it is worth by these nouns."""
        return grade_purchase(self.product, self.goal, self.options, nouns=nouns).reward


def draw_purchases(count: int, *, seed: int) -> Iterator[Purchase]:
    """Purchases in the small shop, of each mix in turn."""
    generator = random.Random(seed)
    shop = draw_products(SIZES["small"])
    by_asin = {product.asin: product for product in shop}
    tasks = [task for split in SPLITS for task in load_panel(split).tasks]
    for number in range(count):
        goal = goal_of(generator.choice(tasks), by_asin)
        mix = MIXES[number % len(MIXES)]
        offered = [product for product in shop if _fits(product, goal.product, mix)]
        product = generator.choice(offered)
        options = {
            name: next(
                (value for value in values if value in goal.options), generator.choice(values)
            )
            for name, values in product.options.items()
        }
        yield Purchase(mix=mix, goal=goal, product=product, options=options)


def _fits(product: Product, wanted: Product, mix: str) -> bool:
    if mix == "the right kind":
        return product.query == wanted.query
    return mix == "anything" or product.category == wanted.category


def measure(spacy_nouns: Nouns) -> Iterator[Row]:
    """The rows of this benchmark; prints the purchases whose rewards differ."""
    same: dict[str, list[bool]] = {mix: [] for mix in MIXES}
    for purchase in draw_purchases(COUNT, seed=SEED):
        ours, theirs = purchase.reward(nouns), purchase.reward(spacy_nouns)
        same[purchase.mix].append(ours == theirs)
        if ours != theirs:
            print(f"{purchase.mix}: {ours:.3f} by lists, {theirs:.3f} by spaCy")
            for role, product in (("wanted", purchase.goal.product), ("bought", purchase.product)):
                print(f"  {role}: {product.title}")
                print(f"    lists: {', '.join(nouns(product.title))}")
                print(f"    spaCy: {', '.join(spacy_nouns(product.title))}")
    for mix, found in same.items():
        yield Row(what=f"same reward, {mix}", value=_percent(found), unit=f"% of {len(found)}")
    every = [each for found in same.values() for each in found]
    yield Row(what="same reward", value=_percent(every), unit=f"% of {len(every)}", bar=99)


def _percent(found: list[bool]) -> float:
    return 100 * sum(found) / len(found)


def main() -> None:
    """Measure, and print what differs and a table; with `--json`, the last line is the result."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.nouns")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    parser.add_argument("--model", default="en_core_web_sm", help="spaCy's: a package or a folder")
    options = parser.parse_args()
    try:
        spacy_nouns = open_nouns(f"spacy:{options.model}")
    except UsageError as error:
        parser.error(str(error))
    show("nouns", measure(spacy_nouns), as_json=options.json)


if __name__ == "__main__":
    main()

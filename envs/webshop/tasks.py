"""The panels gen1/train, gen1/dev and gen1/test: goals for the generated shop, drawn by counter.

Each panel wants products of families of its own among the first thousand products, so that they
are in a shop of any size from there on; its goals hang on nothing but their own ids.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache
from typing import Any

from agentgym.envs.webshop.catalogue import FAMILY, SIZES, draw_family, draw_products
from agentgym.envs.webshop.goal import Goal, draw_price_limit, price_clause
from agentgym.envs.webshop.product import Product
from agentgym.envs.webshop.wording import word_instruction
from agentgym.errors import UsageError, unknown
from agentgym.panel import Panel
from agentgym.types import Task

ENV_ID = "agentgym/WebShop-v0"
SPLITS = {"gen1/train": 4200, "gen1/dev": 1000, "gen1/test": 500}
"""Split -> number of tasks. Choose settings on dev; report test."""
TENTHS = {"gen1/test": (0,), "gen1/dev": (1, 2), "gen1/train": (3, 4, 5, 6, 7, 8, 9)}
"""Split -> which of every ten families it wants products of."""
NUM_TRAITS = (1, 2, 2, 3)
"""How many attributes are asked for; each is as likely."""
OPTION_SHARE = 0.8
"""How often an option is asked for."""


@cache
def list_targets(split: str) -> tuple[int, ...]:
    """The numbers of the products that a split may want."""
    families = range(SIZES["small"] // FAMILY)
    # Kinds come in turn, forty of them, so every tenth family would be of four kinds only.
    order = random.Random("webshop gen1 splits").sample(families, len(families))
    chosen = [family for place, family in enumerate(order) if place % 10 in TENTHS[split]]
    return tuple(FAMILY * family + version for version in range(FAMILY) for family in chosen)


def make_task(split: str, index: int) -> Task:
    """The task of that number, anew.

    The secret says what is wanted by its place in the product's own lists: the words themselves
    are mostly the instruction's.
    """
    task_id = f"{split}/{index:04d}"
    targets = list_targets(split)
    number = targets[index % len(targets)]
    product = draw_products(SIZES["small"])[number]
    kind = draw_family(number // FAMILY).kind
    generator = random.Random(f"webshop {task_id}")
    count = generator.choice(NUM_TRAITS)
    places = sorted(generator.sample(range(len(product.attributes)), count))
    options = {
        name: generator.randrange(len(values))
        for name, values in product.options.items()
        if generator.random() < OPTION_SHARE
    }
    limit = draw_price_limit(product.price, generator)
    text = word_instruction(
        kind,
        generator.sample([product.attributes[place] for place in places], count),
        {name: product.options[name][place] for name, place in options.items()},
        generator,
    )
    return Task(
        id=task_id,
        split=split,
        seed=index,
        public={"type": product.category, "instruction": text + price_clause(limit)},
        secret={
            "asin": product.asin,
            "attributes": places,
            "options": options,
            "price_limit": limit,
        },
    )


def goal_of(task: Task, products: Mapping[str, Product]) -> Goal:
    """What a task asks for.

    Args:
        products: of the shop, by asin.

    Raises:
        UsageError: the shop is too small for the task.
    """
    secret: Any = task.secret
    product = products.get(secret["asin"])
    if product is None:
        raise UsageError(
            f"task '{task.id}' wants a product that a shop of {len(products)} lacks; its panel "
            f"needs one of {SIZES['small']} or more"
        )
    return Goal(
        product=product,
        attributes=tuple(product.attributes[place] for place in secret["attributes"]),
        options=tuple(product.options[name][place] for name, place in secret["options"].items()),
        price_limit=secret["price_limit"],
    )


@cache
def load_panel(split: str) -> Panel:
    """A generated panel; built once per process.

    Raises:
        UsageError: there is no such split.
    """
    if split not in SPLITS:
        raise unknown("WebShop split", split, SPLITS)
    tasks = tuple(make_task(split, index) for index in range(SPLITS[split]))
    return Panel(name=split, env=ENV_ID, tasks=tasks)

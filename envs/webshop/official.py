"""A user's own copy of WebShop's files: its products, and the goals that people wrote for them.

`AGENTGYM_WEBSHOP_DATA` names their folder. Of `items_shuffle*.json` and `items_ins_v2*.json` there
must be one file each; `items_human_ins.json` has the goals.

Source: WebShop's engine and its conventional split. Prices within a range and price limits, which
it draws anew whenever it starts, are drawn by product and instruction here.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from agentgym.envs.left_out import LeftOut
from agentgym.envs.webshop.goal import Goal, draw_price_limit, price_clause
from agentgym.envs.webshop.product import Product
from agentgym.envs.webshop.shop import Engine, Shop
from agentgym.envs.webshop.tasks import ENV_ID
from agentgym.errors import UsageError, unknown
from agentgym.panel import Panel
from agentgym.types import Task

VARIABLE = "AGENTGYM_WEBSHOP_DATA"
HUMAN = "items_human_ins.json"
SPLITS = {
    "official/test": slice(0, 500),
    "official/dev": slice(500, 1500),
    "official/train": slice(1500, None),
}
"""Split -> which of the shuffled goals it has."""
SHUFFLE_SEED = 233
LONGEST_ASIN = 10
NO_PRICE = 100.0
NO_ATTRIBUTE = "DUMMY_ATTR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """A goal and the words that it was put in."""

    text: str
    goal: Goal

    @property
    def digest(self) -> str:
        """Of all that it asks for, 16 hex digits."""
        goal = self.goal
        content = (self.text, goal.product.asin, goal.attributes, goal.options, goal.price_limit)
        return hashlib.sha256(repr(content).encode("utf-8", "replace")).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Official:
    """What the files hold."""

    products: tuple[Product, ...]
    instructions: tuple[Instruction, ...]
    """In the order of the conventional split."""


def data_folder() -> Path | None:
    """Where the user's files lie, if anywhere."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen).expanduser() if chosen else None


def find_splits() -> tuple[str, ...]:
    """The splits that have goals if the shop has all the products that goals are about.

    None without the files. The products are not read: there may be more than a million.
    """
    folder = data_folder()
    if folder is None or not (folder / HUMAN).is_file():
        return ()
    goals = _read(folder / HUMAN, dict).values()
    count = sum(len(rows) for rows in goals if isinstance(rows, list))
    return tuple(split for split, part in SPLITS.items() if part.start < count)


def get_folder() -> Path:
    """Where the user's files lie.

    Raises:
        UsageError: nobody said.
    """
    folder = data_folder()
    if folder is None:
        raise UsageError(f"set {VARIABLE} to the folder that has WebShop's items_*.json")
    return folder


def official_panel(split: str) -> Panel:
    """The goals of a split.

    Raises:
        UsageError: there is no such split, or the files cannot be read.
    """
    if split not in SPLITS:
        raise unknown("WebShop split", split, SPLITS)
    instructions = load_official(get_folder()).instructions
    tasks = tuple(
        Task(
            id=f"{split}/{index:05d}",
            split=split,
            seed=index,
            public={
                "type": instruction.goal.product.category,
                "instruction": instruction.text,
                "shop": "official",
            },
            # The words themselves are mostly the instruction's.
            secret={
                "asin": instruction.goal.product.asin,
                "goal": index,
                "digest": instruction.digest,
            },
        )
        for index, instruction in list(enumerate(instructions))[SPLITS[split]]
    )
    if not tasks:
        raise UsageError(f"'{split}' has no goals: there are {len(instructions)} in all")
    return Panel(name=split, env=ENV_ID, tasks=tasks)


@cache
def load_official(folder: Path) -> Official:
    """The files in a folder; read once per process.

    Raises:
        UsageError: a file is missing or is no JSON.
    """
    left_out = LeftOut()
    notes = _read(_find_file(folder, "items_ins_v2*.json"), dict)
    rows = _read(_find_file(folder, "items_shuffle*.json"), list)
    products: dict[str, Product] = {}
    for place, row in enumerate(rows):
        asin = str(row.get("asin")) if isinstance(row, Mapping) else f"row {place}"
        why = _find_fault(asin, products)
        if why is None:
            try:
                products[asin] = read_product(row, notes.get(asin))
            except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
                why = "no product with all its fields"
        if why is not None:
            left_out.names[why].append(asin)
    if not products:
        raise UsageError(f"'{folder}' has no products")
    human = _read(folder / HUMAN, dict)
    instructions = list(_list_instructions(products, human, left_out))
    random.Random(SHUFFLE_SEED).shuffle(instructions)
    left_out.warn(folder)
    return Official(products=tuple(products.values()), instructions=tuple(instructions))


@cache
def open_official_shop(folder: Path, engine: Engine) -> Shop:
    """The products of a folder, and the search over them; opened once per process."""
    return Shop(load_official(folder).products, engine=engine)


def _find_fault(asin: str, products: Mapping[str, Product]) -> str | None:
    if asin in ("nan", "None") or len(asin) > LONGEST_ASIN:
        return f"an asin of more than {LONGEST_ASIN} characters, or none"
    return "an asin that was there before" if asin in products else None


def _find_file(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise UsageError(f"'{folder}' must have one file {pattern}, not {len(found)}")
    return found[0]


def _read(file: Path, kind: type) -> Any:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read '{file}': {error}") from error
    if not isinstance(content, kind):
        raise UsageError(f"'{file}' must hold a JSON {kind.__name__}")
    return content


def read_product(row: Mapping[str, Any], note: Mapping[str, Any] | None) -> Product:
    """A product as WebShop reads it.

    Args:
        note: what `items_ins_v2` has of it.

    Raises:
        KeyError, TypeError and the like: a field is missing or of another kind.
    """
    points = row["small_description"]
    price, price_text = _read_price(row.get("pricing"), str(row["asin"]))
    groups = row["customization_options"] or {}
    return Product(
        asin=str(row["asin"]),
        title=_text(row["name"]),
        description=_text(row["full_description"] or ""),
        bullets=tuple(map(_text, points)) if isinstance(points, list) else (_text(points or ""),),
        price=price,
        price_text=price_text,
        category=_text(row["category"]),
        product_category=_text(row["product_category"]),
        query=_text(row["query"]).lower().strip(),
        options={
            name.lower(): tuple(
                each["value"].strip().replace("/", " | ").lower() for each in values
            )
            for name, values in groups.items()
            if values is not None
        },
        attributes=tuple((note or {}).get("attributes", (NO_ATTRIBUTE,))),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is needed, not {value!r}")
    return value


def _read_price(pricing: str | None, asin: str) -> tuple[float, str]:
    """A price, and how it is shown; a range's is drawn by the product's asin."""
    if not pricing:
        return NO_PRICE, f"${NO_PRICE}"
    kept = ["".join(c for c in part if c in "0123456789.") for part in pricing.split("$")[1:]]
    prices = [float(part) for part in kept][:2]
    if len(prices) == 1:
        return prices[0], f"${prices[0]}"
    low, high = prices
    return random.Random(f"webshop price {asin}").uniform(low, high), f"${low} to ${high}"


def _list_instructions(
    products: Mapping[str, Product], human: Mapping[str, Any], left_out: LeftOut
) -> Iterator[Instruction]:
    """The goals that people wrote, in the products' order."""
    for asin, product in products.items():
        for place, row in enumerate(human.get(asin, ())):
            name = f"{asin} instruction {place}"
            try:
                attributes = tuple(map(_text, row["instruction_attributes"]))
                options = tuple(map(_text, row["instruction_options"]))
                text = _text(row["instruction"]).strip(".")
            except (KeyError, TypeError):
                left_out.names["no instruction with all its fields"].append(name)
                continue
            if not attributes:
                left_out.names["an instruction without attributes"].append(name)
                continue
            limit = draw_price_limit(product.price, random.Random(f"webshop limit {name}"))
            goal = Goal(product=product, attributes=attributes, options=options, price_limit=limit)
            yield Instruction(text=text + price_clause(limit), goal=goal)

"""The generated shop and its panels: the same everywhere, and what they promise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from agentgym.envs.webshop.catalogue import (
    FAMILY,
    MOST,
    asin_of,
    draw_family,
    draw_product,
    draw_products,
)
from agentgym.envs.webshop.goal import NO_LIMIT
from agentgym.envs.webshop.kinds import CATEGORIES, KINDS, OPTION_VALUES
from agentgym.envs.webshop.nouns import nouns
from agentgym.envs.webshop.reward import grade_purchase
from agentgym.envs.webshop.tasks import SPLITS, goal_of, list_targets, load_panel
from agentgym.errors import UsageError
from agentgym.types import Task

HASHES = {
    "gen1/train": "b17773ce7b8e1e95",
    "gen1/dev": "d894d02d76e13574",
    "gen1/test": "404bbe59112f8d72",
}
SHOP = draw_products(1000)
BY_ASIN = {product.asin: product for product in SHOP}


@pytest.mark.parametrize("split", SPLITS)
def test_a_panel_never_changes(split: str) -> None:
    assert load_panel(split).hash == HASHES[split]


PROGRAM = """
import json, random, sys
from agentgym.envs.webshop.env import WebShop
from agentgym.envs.webshop.catalogue import draw_product
from agentgym.envs.webshop.tasks import make_task
random.seed(int(sys.argv[1]))
numbers, tasks = list(range(60)), [("gen1/test", i) for i in range(20)] + [("gen1/train", 7)]
random.shuffle(numbers); random.shuffle(tasks)
products = {number: repr(draw_product(number)) for number in numbers}
goals = {str(name): repr(make_task(*name)) for name in tasks}
def play(index):
    env = WebShop()
    told = [env.reset(seed=int(sys.argv[1]), options={"task": make_task("gen1/test", index)})]
    while not env.outcome().score:
        told.append(env.step("search[<r>]" if len(told) == 1 else env.expert_action()))
    return repr(told)
print(json.dumps([products, goals, [play(index) for index in range(5)]], sort_keys=True))
"""


def test_products_prices_goals_and_episodes_are_the_same_in_every_process() -> None:
    """Whatever the seeds, the order of calls and the hash seed."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(seed)],
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in range(10)
    ]
    told = {process.communicate(timeout=120)[0] for process in running}
    assert len(told) == 1
    products, goals, _ = json.loads(told.pop())
    assert products["17"] == repr(draw_product(17))
    assert len(goals) == 21


def test_a_larger_shop_begins_as_a_smaller_one() -> None:
    assert draw_products(1200)[:1000] == SHOP


@pytest.mark.parametrize("count", [0, -1, MOST + 1])
def test_a_shop_of_no_size_is_refused(count: int) -> None:
    with pytest.raises(UsageError, match=f"not {count}"):
        draw_products(count)


def test_every_product_has_a_number_of_its_own() -> None:
    asins = [asin_of(number) for number in range(100_000)]
    assert len(set(asins)) == len(asins)
    assert {len(asin) for asin in asins} == {10}
    assert all(asin.isalnum() and asin.upper() == asin for asin in asins)


def test_categories_and_kinds_have_equal_shares() -> None:
    assert len(CATEGORIES) == 5
    assert len(KINDS) == 40
    categories = Counter(product.category for product in SHOP)
    assert set(categories) == set(CATEGORIES)
    assert max(categories.values()) - min(categories.values()) <= 8 * FAMILY
    kinds = Counter(product.query for product in SHOP)
    assert set(kinds.values()) == {24, 28}


def test_no_two_option_groups_share_a_value() -> None:
    """A click on a value that two groups of a product had would be ambiguous."""
    values = [value for group in OPTION_VALUES.values() for value in group]
    assert len(set(values)) == len(values)


def test_every_attribute_of_a_product_can_be_read_on_its_pages() -> None:
    for product in SHOP:
        texts = " ".join((product.title, *product.bullets, product.description)).lower()
        assert all(attribute in texts for attribute in product.attributes)
        assert len(product.attributes) == 6
        assert all(3 <= len(values) <= 6 for values in product.options.values())


def test_versions_of_a_thing_are_alike_and_differ() -> None:
    for start in range(0, len(SHOP), FAMILY):
        versions = SHOP[start : start + FAMILY]
        brand = draw_family(start // FAMILY).brand
        assert all(brand in version.title for version in versions)
        assert len({version.query for version in versions}) == 1
        common = set.intersection(*(set(version.attributes) for version in versions))
        assert len(common) >= 4
        contents = {(v.attributes, tuple(v.options.values()), v.price) for v in versions}
        assert len(contents) == FAMILY


def test_prices_are_within_the_range_that_is_shown() -> None:
    ranges = 0
    for product in SHOP:
        low, _, high = product.price_text.replace("$", "").partition(" to ")
        assert float(low) <= product.price <= float(high or low)
        ranges += bool(high)
    assert 100 < ranges < 200


def test_no_two_splits_want_versions_of_one_thing() -> None:
    families = [{number // FAMILY for number in list_targets(split)} for split in SPLITS]
    assert [len(each) for each in families] == [175, 50, 25]
    assert not families[0] & families[1]
    assert not families[2] & (families[0] | families[1])


def secret_of(task: Task) -> Any:
    return task.secret


@pytest.mark.parametrize("split", SPLITS)
def test_buying_what_the_secret_names_is_worth_1(split: str) -> None:
    for task in load_panel(split):
        product = BY_ASIN[secret_of(task)["asin"]]
        goal = goal_of(task, BY_ASIN)
        wanted = secret_of(task)["options"].items()
        options = {name: product.options[name][place] for name, place in wanted}
        assert grade_purchase(product, goal, options, nouns=nouns).reward == 1.0, task.id


@pytest.mark.parametrize("split", SPLITS)
def test_an_instruction_says_the_options_and_the_limit_and_not_the_product(split: str) -> None:
    for task in load_panel(split):
        text = str(task.public["instruction"])
        product = BY_ASIN[secret_of(task)["asin"]]
        goal = goal_of(task, BY_ASIN)
        assert product.query in text
        assert all(str(option) in text for option in goal.options)
        assert product.asin not in text
        assert goal.product.price < goal.price_limit < NO_LIMIT
        assert text.endswith(f", and price lower than {goal.price_limit:.2f} dollars")
        assert "{" not in text


def test_instructions_are_put_in_many_ways() -> None:
    texts = [str(task.public["instruction"]) for task in load_panel("gen1/train")]
    assert len(set(texts)) == len(texts)
    openings = Counter(" ".join(text.split()[:3]) for text in texts)
    assert len(openings) > 40


def test_a_shop_too_small_for_a_task_is_refused() -> None:
    with pytest.raises(UsageError, match="task 'gen1/test/0000' wants .* of 0 lacks; .* 1000"):
        goal_of(load_panel("gen1/test").tasks[0], {})


def test_an_unknown_split_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'gen1/test'"):
        load_panel("gen1/tset")

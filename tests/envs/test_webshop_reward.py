"""WebShop's reward: its published fixtures, and equality with its specification."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgym.envs.webshop.colors import reduce_to_color
from agentgym.envs.webshop.fuzzy import token_set_ratio
from agentgym.envs.webshop.goal import NO_LIMIT, Goal, draw_price_limit, price_clause
from agentgym.envs.webshop.nouns import nouns
from agentgym.envs.webshop.product import Product
from agentgym.envs.webshop.reward import (
    Grade,
    count_attributes,
    count_options,
    grade_purchase,
    match_type,
)
from oracles import webshop_reward as oracle

OILS = ("tea tree", "essential oils", "natural ingredients")
SHOE = "Mens D.O.N. Issue 2 Gca Basketball Sneakers Shoes Casual - Off White"
CORD = "Saireed UL Listed 2 Prong Power Cord for JBL Bar 3.1 Bar 2.1 Channel 4K Ultra HD Soundbar"
CABLE = (
    "BRST AC Power Cord Outlet Socket Cable Plug Lead for Panasonic SC-HT830V DVD/VCR Combo Home "
    "Theater System"
)


def product(**fields: Any) -> Product:
    blank: dict[str, Any] = {
        "asin": "B000000000", "title": "", "description": "", "bullets": (), "price": 35.0,
        "price_text": "$35.0", "category": "", "product_category": "a \u203a b \u203a c",
        "query": "query 1", "options": {}, "attributes": (),
    }  # fmt: skip
    return Product(**blank | fields)


def goal(wanted: Product, **fields: Any) -> Goal:
    asked: dict[str, Any] = {"attributes": OILS, "options": ()}
    return Goal(product=wanted, **asked | fields)


@pytest.mark.parametrize(
    ("query", "category", "query_match", "category_match"),
    [
        ("query 1", "a \u203a b \u203a c", True, True),
        ("query 2", "b \u203a c \u203a a", False, True),
        ("query 2", "d \u203a e \u203a f", False, False),
        ("query 2", "a \u203a d \u203a b", False, True),
        ("query 2", "a \u203a a \u203a b", False, True),
        ("query 2", "a \u203a a \u203a d", False, False),
    ],
)
def test_queries_are_equal_or_not_and_categories_share_two_parts(
    query: str, category: str, query_match: bool, category_match: bool
) -> None:
    bought = product(query=query, product_category=category, title="Name 1")
    match = match_type(bought, goal(product(title="Name 1")), nouns=nouns)
    assert (match.query_match, match.category_match) == (query_match, category_match)
    assert (match.r_type, match.title_score) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("wanted", "bought", "score", "r_type"),
    [
        (
            SHOE,
            "PEAK High Top Mens Basketball Shoes Lou Williams Streetball Master Breathable Non "
            "Slip Outdoor Sneakers",
            0.333,
            1.0,
        ),
        (f"{CORD} Home Theater System Subwoofer", CABLE, 0.3, 1.0),
        (CORD, CABLE, 0.15, 0.5),
        (
            "Rusticware 921ORB Kitchen and Bath Cabinet Knob",
            "Minkissy 2pcs Stainless Steel Eyebrow Tweezers Blackhead Acne Remover Portable Makeup "
            "Tweezers (Silver)",
            0.0,
            0.0,
        ),
        ("for the 2 of us", "for the 2 of us", 0.2, 0.5),
    ],
)
def test_title_scores_are_the_published_ones(
    wanted: str, bought: str, score: float, r_type: float
) -> None:
    other = {"query": "query 2", "product_category": "d"}
    match = match_type(product(title=bought, **other), goal(product(title=wanted)), nouns=nouns)
    assert match.title_score == pytest.approx(score, abs=0.01)
    assert match.r_type == r_type


def test_a_repeated_noun_counts_each_time_below_the_line_and_once_above() -> None:
    match = match_type(
        product(title="a b"), goal(product(title="a a b")), nouns=lambda title: title.split()
    )
    assert match.title_score == pytest.approx(2 / 3)


@pytest.mark.parametrize(("title", "r_type"), [("a", 0.1), ("z", 0.0), ("a b", 0.1), ("a b c", 1)])
def test_few_common_nouns_cost_most_of_the_reward_though_the_query_is_equal(
    title: str, r_type: float
) -> None:
    wanted = goal(product(title=" ".join("abcdefghijklmnopqrstuvw")))  # 23 nouns
    match = match_type(product(title=title), wanted, nouns=lambda title: title.split())
    assert match.query_match
    assert match.r_type == r_type


@pytest.mark.parametrize(
    ("fields", "matches"),
    [
        ({"attributes": ("tea tree", "essential oil", "natural ingredients")}, 3),
        ({"attributes": ("essential oil", "natural ingredients")}, 2),
        (
            {
                "bullets": ("This shampoo has essential oils and smells like lemons",),
                "description": "Best shampoo on the market, made with natural ingredients",
            },
            2,
        ),
        (
            {
                "attributes": ("tea bag", "earl gray", "lipton"),
                "title": "English tea for breakfast",
                "bullets": ("Soothing aroma", "Calming, great feeling"),
                "description": "Best tea made by Lipton, great to pair with breakfast",
            },
            0,
        ),
        ({"title": "TEA TREE shampoo"}, 1),
        # Bullet points that are one string are joined letter by letter.
        ({"bullets": "essential oils"}, 0),
    ],
)
def test_attributes_are_found_in_lists_and_in_texts(fields: dict[str, Any], matches: int) -> None:
    assert count_attributes(product(**fields), OILS) == matches


@pytest.mark.parametrize(
    ("chosen", "wanted", "matches"),
    [
        (["pack of 12", "grey", "XL"], ["grey", "XL", "pack of 12"], 3),
        (["pack of 12", "blue", "XL"], ["grey", "XL", "pack of 12"], 2),
        (["pack of 12", "powder snow", "XL"], ["cool powder snow", "XL", "pack of 12"], 3),
        (["goal 1", "goal 2"], [], 0),
        ([], ["goal 1", "goal 2"], 0),
        (["grey"], [("color", "grey")], 1),
        (["8 wide"], ["8"], 1),
        (["8"], [("size", "8 wide")], 1),
        # Both become "blue", which comes before "navy" in the list.
        (["blue"], ["navy blue"], 1),
        # The pair is no colour, as no element is just one: "color navy blue" holds "blue".
        (["light blue"], [("color", "navy blue")], 1),
        # As a list both become "dark"; as a pair only the chosen one does.
        (["dark red"], ["dark wine"], 1),
        (["dark red"], [("color", "dark wine")], 1),
        (["dark red"], [("color", "red")], 0),
        (["x large"], [("size", "large")], 0),
    ],
)
def test_options_are_compared_by_words_and_colours(
    chosen: list[str], wanted: list[Any], matches: int
) -> None:
    assert count_options(chosen, wanted) == matches
    assert oracle.num_options(chosen, wanted) == matches


def test_the_whole_reward_is_the_published_one() -> None:
    options = {"color": "grey", "size": "XL"}
    wanted = goal(product(title=SHOE), options=tuple(options.items()), price_limit=40.0)

    def grade(bought: Product, asked: Goal = wanted) -> Grade:
        return grade_purchase(bought, asked, options, nouns=nouns)

    assert grade(product(title=SHOE, attributes=OILS)).reward == 1.0
    texts: Any = {
        "bullets": "This shampoo has essential oils and smells like lemons",
        "description": "Best shampoo on the market, made with natural ingredients",
    }
    # (1 attribute + 2 options + price) / (3 + 2 + 1)
    assert grade(product(title=SHOE, **texts)).reward == pytest.approx(4 / 6)
    pairs = (*options.items(), ("amount", "pack of 12"))
    more = goal(product(title=SHOE), options=pairs, price_limit=40.0)
    assert grade(product(title=SHOE, **texts), more).reward == pytest.approx(4 / 7)
    cord = goal(product(title=CORD), options=pairs, price_limit=40.0)
    other = product(title=CABLE, query="query 2", product_category="a \u203a d \u203a e", **texts)
    assert grade(other, cord).reward == pytest.approx(2 / 7)


def test_the_parts_say_what_was_met() -> None:
    wanted = goal(product(title="Lamp"), price_limit=30.0)
    grade = grade_purchase(product(title="Lamp"), wanted, {"size": "s"}, nouns=nouns)
    assert grade.info == {
        "reward": 0.0, "r_type": 1.0, "r_att": 0.0, "w_att": 0.75, "query_match": True,
        "category_match": True, "title_score": 1.0, "r_price": False, "w_price": 0.25,
    }  # fmt: skip
    assert grade.r_option is None


WORDS = (
    "essential oil oils natural ingredient ingredients long lasting easy clean cleaning "
    "navy blue light dark red grey gray rose gold x-large xx-large large 8 wide 8.5 pack of 12 "
    "men's caf\u00e9 color size machine wash washable non-slip slip"
).split()
TITLES = (
    "Rose Gold Lamp", "Lamp Shade", "Soft Wash", "Rose Oil Candle Lamp Shade Rug", "8 of 12",
    "Desk Tray Clip Pen Case Mat Hook Bell Fan Jar Pot Rug",
)  # fmt: skip


def draw_phrase(generator: random.Random, most: int = 4) -> str:
    return " ".join(generator.choices(WORDS, k=generator.randint(1, most)))


def draw_product(generator: random.Random) -> dict[str, Any]:
    phrases = [draw_phrase(generator) for _ in range(5)]
    return {
        "Title": f"{generator.choice(TITLES)} {generator.choice(TITLES)}",
        "Attributes": phrases[: generator.randint(0, 3)],
        "BulletPoints": [f"With {phrases[3]}, always"][: generator.randint(0, 1)],
        "Description": generator.choice(["", phrases[4].upper()]),
        "query": generator.choice(["lamp", "rug"]),
        "product_category": " \u203a ".join(generator.choices("abcd", k=3)),
    }


def draw_triple(generator: random.Random) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """A product, a goal like its own or another's, and choices like the goal's or others."""
    bought, target = draw_product(generator), draw_product(generator)
    if generator.random() < 0.5:
        target |= {key: bought[key] for key in generator.sample(list(bought), 4)}
    values = [draw_phrase(generator, 3) for _ in range(generator.randint(0, 3))]
    names = ["color", "size", "pack"][: len(values)]
    near = [
        generator.choice([value, f"{value}s", value[:-2], draw_phrase(generator)])
        for value in values
    ]
    attributes = [*target["Attributes"], draw_phrase(generator)]
    wanted = {
        "name": target["Title"],
        "query": target["query"],
        "product_category": target["product_category"],
        "attributes": attributes[: generator.randint(1, 3)],
        "goal_options": values
        if generator.random() < 0.5
        else dict(zip(names, values, strict=True)),
        "price_upper": generator.choice([20.0, 40.0, NO_LIMIT]),
    }
    chosen = list(zip(names, near, strict=True))[: generator.randint(0, 3)]
    return bought, wanted, dict(chosen)


def graded(
    bought: dict[str, Any], wanted: dict[str, Any], price: float, chosen: dict[str, str]
) -> Grade:
    target = product(
        title=wanted["name"], query=wanted["query"], product_category=wanted["product_category"]
    )
    options = wanted["goal_options"]
    asked = goal(
        target,
        attributes=tuple(wanted["attributes"]),
        options=tuple(options.items() if isinstance(options, dict) else options),
        price_limit=wanted["price_upper"],
    )
    mine = product(
        title=bought["Title"], attributes=bought["Attributes"], bullets=bought["BulletPoints"],
        description=bought["Description"], query=bought["query"], price=price,
        product_category=bought["product_category"],
    )  # fmt: skip
    return grade_purchase(mine, asked, chosen, nouns=nouns)


def test_the_reward_equals_its_specification_on_6000_purchases() -> None:
    generator = random.Random(0)
    met: Counter[Any] = Counter()
    for _ in range(6000):
        bought, wanted, chosen = draw_triple(generator)
        price = generator.choice([20.0, 30.0])
        grade = graded(bought, wanted, price, chosen)
        expected, parts = oracle.reward(bought, wanted, price, chosen, nouns)
        assert (grade.reward, grade.info) == (expected, {"reward": expected} | parts)
        met.update([("type", grade.r_type), ("option", grade.r_option), grade.success])
        met.update(
            ("close", min(max(token_set_ratio(value, str(each)), 80), 90))
            for value in chosen.values()
            for each in wanted["goal_options"]
        )
    # What the draw must reach for the comparison to say anything.
    for case in (*(("type", r) for r in (0.0, 0.1, 0.5, 1.0)), ("option", None), ("option", 0.5)):
        assert met[case] > 50, (case, met)
    assert met[True] > 50
    assert sum(met["close", score] for score in range(83, 89)) > 50


@settings(max_examples=2000)
@given(
    st.lists(st.sampled_from([*WORDS, "_", "-", "\u0130", "\u00df", "\u00e9"]), max_size=5).map(
        " ".join
    )
    | st.text(max_size=12),
    st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join) | st.text(max_size=12),
)
def test_likeness_equals_its_definition(first: str, second: str) -> None:
    assert token_set_ratio(first, second) == oracle.token_set_ratio(first, second)
    assert reduce_to_color(first) == oracle.color_of(first)


@given(st.text(max_size=60))
def test_any_text_has_its_nouns_and_they_are_its_own(title: str) -> None:
    found = nouns(title)
    assert found == nouns(title)
    assert all(noun in title.lower() for noun in found)


@pytest.mark.parametrize(
    ("price", "limits"),
    [
        (35.0, {50.0, 60.0, 70.0}),
        (40.0, {60.0, 70.0, 80.0}),
        (965.0, {980.0, 990.0}),
        (975.0, {990.0}),
        (985.0, {NO_LIMIT}),
        (2000.0, {NO_LIMIT}),
    ],
)
def test_a_price_limit_is_the_larger_of_two_of_the_next_four(
    price: float, limits: set[float]
) -> None:
    drawn = {draw_price_limit(price, random.Random(seed)) for seed in range(100)}
    assert drawn == limits


def test_a_limit_is_said_at_the_end_and_no_limit_is_not() -> None:
    assert price_clause(50.0) == ", and price lower than 50.00 dollars"
    assert price_clause(NO_LIMIT) == ""

"""WebShop's reward, written rule by rule from its specification, on plain dictionaries."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any

COLOR_WORDS = (
    "alabaster apricot aqua ash asphalt azure banana beige black blue blush bordeaux bronze "
    "brown burgundy camel camo caramel champagne charcoal cheetah chestnut chocolate christmas "
    "coffee cognac copper coral cranberry cream crystal dark denim eggplant elephant espresso "
    "fuchsia gold granite grape graphite grass gray green grey heather indigo ivory ivy khaki "
    "lavender lemon leopard light lilac lime magenta maroon mauve merlot midnight mint mocha "
    "multicolor mushroom mustard natural navy nude olive orange peach pewter pink plum purple "
    "rainbow red rose royal rust sand sapphire seashell silver skull slate steel stone stonewash "
    "sunflower tan taupe teal tiger turquoise violet walnut wheat white wine yellow"
).split(" ")


def letters_and_digits(thing: object) -> str:
    """Latin-1's upper half deleted, all that is no word character made a space, lower case."""
    out = ""
    for char in str(thing):
        if 128 <= ord(char) <= 255:
            continue
        out += char if char.isalnum() or char == "_" else " "
    return out.lower().strip()


def ratio(first: str, second: str) -> int:
    if first == second:
        return 100
    if first == "" or second == "":
        return 0
    return int(round(100 * difflib.SequenceMatcher(None, first, second).ratio()))


def token_set_ratio(first: object, second: object) -> int:
    one, two = letters_and_digits(first), letters_and_digits(second)
    if one == "" or two == "":
        return 0
    common: list[str] = []
    only_one: list[str] = []
    only_two: list[str] = []
    for word in sorted(set(one.split())):
        (common if word in two.split() else only_one).append(word)
    for word in sorted(set(two.split())):
        if word not in common:
            only_two.append(word)
    shared = " ".join(common)
    first_text = (shared + " " + " ".join(only_one)).strip()
    second_text = (shared + " " + " ".join(only_two)).strip()
    return max(
        ratio(shared, first_text), ratio(shared, second_text), ratio(first_text, second_text)
    )


def color_of(thing: Any) -> Any:
    """`in` is a substring of a text and an element of a pair."""
    for word in COLOR_WORDS:
        if word in thing:
            return word
    return thing


def type_reward(
    product: dict[str, Any], goal: dict[str, Any], nouns: Callable[[str], Iterable[str]]
) -> dict[str, Any]:
    bought_parts, wanted_parts = (
        {part.strip() for part in thing["product_category"].split("\u203a")}
        for thing in (product, goal)
    )
    query_match = product["query"] == goal["query"]
    category_match = len([part for part in bought_parts if part in wanted_parts]) >= 2
    wanted = list(nouns(goal["name"]))
    bought = list(nouns(product["Title"]))
    if len(wanted) == 0:
        title_score = 0.2
    else:
        title_score = len({noun for noun in wanted if noun in bought}) / len(wanted)
    r_type = 1.0
    if not (query_match or category_match or title_score > 0.2):
        r_type = 0.5
    if title_score < 0.1:
        r_type = 0.1
    if title_score == 0:
        r_type = 0.0
    return {
        "r_type": r_type,
        "query_match": query_match,
        "category_match": category_match,
        "title_score": title_score,
    }


def num_attributes(product: dict[str, Any], wanted: list[str]) -> int:
    found = 0
    for attribute in wanted:
        matched = False
        for mine in product["Attributes"]:
            if token_set_ratio(mine, attribute) > 85:
                matched = True
        if attribute in product["Title"].lower():
            matched = True
        if attribute in " ".join(product["BulletPoints"]).lower():
            matched = True
        if attribute in product["Description"].lower():
            matched = True
        if matched:
            found += 1
    return found


def num_options(chosen: list[str], wanted: list[Any]) -> int:
    found = 0
    for option in wanted:
        scores = [token_set_ratio(color_of(value), color_of(option)) for value in chosen]
        if any(score > 85 for score in scores):
            found += 1
    return found


def reward(
    product: dict[str, Any],
    goal: dict[str, Any],
    price: float,
    options: dict[str, str],
    nouns: Callable[[str], Iterable[str]],
) -> tuple[float, dict[str, Any]]:
    """The reward and its parts."""
    wanted = goal["goal_options"]
    asked_options = list(wanted.items()) if isinstance(wanted, dict) else wanted
    info = type_reward(product, goal, nouns)
    attributes = num_attributes(product, goal["attributes"])
    matches = num_options(list(options.values()), asked_options)
    r_price = 1 if price <= goal["price_upper"] else 0
    total = len(goal["attributes"]) + len(asked_options) + 1
    info |= {
        "r_att": attributes / len(goal["attributes"]),
        "w_att": len(goal["attributes"]) / total,
    }
    info |= {"r_price": r_price, "w_price": 1 / total}
    if len(asked_options) > 0:
        info |= {"r_option": matches / len(asked_options), "w_option": len(asked_options) / total}
    return (attributes + matches + r_price) / total * info["r_type"], info

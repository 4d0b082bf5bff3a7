"""What tells the nouns of titles: lists by default, spaCy or a function of one's own on demand."""

from __future__ import annotations

import importlib.util
import random
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.noun_weights import Case, collect, learn
from benchmarks.nouns import COUNT, measure

from agentgym.envs.webshop.catalogue import draw_products
from agentgym.envs.webshop.env import WebShop
from agentgym.envs.webshop.nouns import describe, is_noun_by_lists, nouns, open_nouns, split_title
from agentgym.envs.webshop.reward import match_type
from agentgym.envs.webshop.shop import open_shop
from agentgym.envs.webshop.tasks import goal_of
from agentgym.errors import UsageError

ROOT = Path(__file__).parents[2]
IS_HERE = importlib.util.find_spec("spacy") is not None


def test_the_lists_are_the_default() -> None:
    assert open_nouns("lists") is nouns


@pytest.mark.parametrize(
    ("title", "not_by_neighbours", "only_by_neighbours"),
    [
        ("Marelora Easy To Clean Table Lamp for Nightstand, Bedroom, Space Saving", "", "clean"),
        ("Remote Control Table Lamp by Marelora, Easy To Assemble, Bedroom, Desk", "", "assemble"),
        ("Impolia Pasta Sauce - Resealable Bag, Keto Friendly - Pizza", "resealable", "friendly"),
        ("Orlumis Plant Based Herbal Tea for Sleep, Iced Tea, Caffeine Free", "based free", ""),
        ("Rosgalex Ground Coffee - Non Gmo, Caffeine Free - Cold Brew, Espresso", "free", ""),
        ("Orgala Plug And Play Heavy Duty Charging Cable, Office, Travel", "play", ""),
        ("Corfirio Usb Port Long Lasting Bluetooth Speaker, Home, Beach", "lasting", ""),
        (
            "Elfiria Wireless Earbuds - Easy To Use, Fast Charging - Calls, Running",
            "running",
            "use",
        ),
    ],
)
def test_neighbours_decide_as_spacy_does(
    title: str, not_by_neighbours: str, only_by_neighbours: str
) -> None:
    """What spaCy's small model, 3.8.0, says of these titles, none of which was learned from."""
    parts = split_title(title)
    listed = {part.lower() for place, part in enumerate(parts) if is_noun_by_lists(parts, place)}
    assert listed - set(nouns(title)) == set(not_by_neighbours.split())
    assert set(nouns(title)) - listed == set(only_by_neighbours.split())


def test_neighbours_decide_nothing_in_lower_case_nor_of_other_words() -> None:
    found = nouns("gluten free, plant based, easy to use, plug and play")
    assert " ".join(found) == "gluten plant based plug play"
    assert nouns("Portable Riser, Vegan Spread") == ("portable", "riser", "vegan", "spread")


def test_things_that_belong_to_someone_are_called_by_the_owner() -> None:
    found = nouns("Women's Boots, MEN'S Shoes, Kid\u2019s Hat")
    assert " ".join(found) == "women boots men shoes kid hat"


def test_weights_are_averages_over_all_cases_met() -> None:
    never = [(("", "-1 for"), False)] * 10
    # The first case is wrong, at weights of 0, which makes both -1; 0 cases went before it.
    assert learn(never, random.Random(0)) == {"": -2, "-1 for": -2}
    # Neither feature is there ten times.
    assert learn(never[:9], random.Random(0)) == {}


def test_what_hangs_on_neighbours_is_learned() -> None:
    cases: list[Case] = [(("", "+1 ,"), True), (("", "+1 lamp"), False)] * 40
    cases += [(("", "-1 rare", "+1 lamp"), True)]
    weights = learn(cases, random.Random(0))
    assert set(weights) <= {"", "+1 ,", "+1 lamp"}
    for features, is_noun in cases[:2]:
        assert (sum(weights.get(each, 0) for each in features) >= 0) == is_noun


def test_words_are_learned_that_the_lists_tell_otherwise_ten_times() -> None:
    title = [("Easy", True), ("To", False), ("Clean", True), ("lamp", False), ("Vase", True)]
    found = collect([title] * 9 + [[("Clean", True), ("Vase", False)]] * 10)
    # "Clean" errs but 9 times, after "To", and "lamp" has no capital.
    assert set(found) == {"vase"}
    parts = [part for part, _ in title]
    assert found["vase"][0] == (describe(parts, 4), True)
    assert len(found["vase"]) == 19
    assert set(collect([title] * 10)) == {"clean"}


def test_the_benchmark_lists_the_purchases_whose_rewards_differ(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert [row.value for row in measure(nouns)] == [100] * 4
    assert capsys.readouterr().out == ""
    *_, row = measure(shlex.split)
    listed = capsys.readouterr().out.splitlines()
    assert 0 < row.value < 99
    assert not row.ok
    assert len(listed) == 7 * round(COUNT * (100 - row.value) / 100)
    titles = {product.title for product in draw_products(1000)}
    assert {line.partition(": ")[2] for line in listed[1::7] + listed[4::7]} <= titles


def test_the_benchmark_says_what_it_lacks() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.nouns", "--model", "nothing"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    lacks = "no model 'nothing'" if IS_HERE else "pip install 'agentgym-lab[spacy]'"
    assert lacks in done.stderr


def test_a_function_of_ones_own_decides_how_alike_titles_are() -> None:
    env = WebShop(nouns="shlex:split")
    task = env.panel("gen1/dev").tasks[0]
    env.reset(options={"task": task})
    observation, *_ = env.step("search[gift for men and women]")
    click = next(each for each in observation.choices or () if each.startswith("click[b0"))
    env.step(click)
    *_, info = env.step("click[buy now]")
    products = open_shop("small").by_asin
    bought, goal = products[click[6:-1].upper()], goal_of(task, products)
    scores = [match_type(bought, goal, nouns=each).title_score for each in (shlex.split, nouns)]
    assert info["title_score"] == scores[0] != scores[1]


def test_a_name_that_means_nothing_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="'spcy' is not of the form 'module:name'"):
        WebShop(nouns="spcy")


@pytest.mark.skipif(IS_HERE, reason="spaCy is here")
def test_without_spacy_the_extra_is_named() -> None:
    with pytest.raises(UsageError, match=r"pip install 'agentgym-lab\[spacy\]'"):
        WebShop(nouns="spacy")


@pytest.mark.skipif(not IS_HERE, reason="needs the extra spacy")
def test_a_spacy_model_tells_nouns_and_names_in_their_order(tmp_path: Path) -> None:
    import spacy

    pipeline = spacy.blank("en")
    ruler = pipeline.add_pipe("attribute_ruler")
    for word, kind in (("lamp", "NOUN"), ("acme", "PROPN"), ("red", "ADJ")):
        ruler.add([[{"LOWER": word}]], {"POS": kind})
    pipeline.to_disk(tmp_path)
    assert open_nouns(f"spacy:{tmp_path}")("Acme red Lamp, a lamp") == ("acme", "lamp", "lamp")


@pytest.mark.skipif(not IS_HERE, reason="needs the extra spacy")
def test_without_a_model_the_way_to_one_is_told() -> None:
    with pytest.raises(UsageError, match="no model 'nothing'.*python -m spacy download nothing"):
        open_nouns("spacy:nothing")

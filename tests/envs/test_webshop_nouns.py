"""What tells the nouns of titles: lists by default, spaCy or a function of one's own on demand."""

from __future__ import annotations

import importlib.util
import shlex
from pathlib import Path

import pytest

from agentgym.envs.webshop.env import WebShop
from agentgym.envs.webshop.nouns import nouns, open_nouns
from agentgym.envs.webshop.reward import match_type
from agentgym.envs.webshop.shop import open_shop
from agentgym.envs.webshop.tasks import goal_of
from agentgym.errors import UsageError

IS_HERE = importlib.util.find_spec("spacy") is not None


def test_the_lists_are_the_default() -> None:
    assert open_nouns("lists") is nouns


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

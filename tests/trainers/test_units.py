"""Units, the tokens of a text of many words: a name is one wherever it stands; exact anywhere."""

from __future__ import annotations

from functools import cache
from statistics import mean

from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from agentgym.env import env_class
from agentgym.trainers import tiny
from agentgym.trainers.units import find_units

COLORS = ("navy blue", "wine red", *"red teal pink khaki ivory coral black white".split())
THINGS = "mug lamp rug shirt desk bench tea cable".split()
WISHES = [
    f"{opener} {article} {color} {thing}, size {6 + number % 4}"
    for opener in ("i want", "we want", "show me", "find")
    for article in ("a", "the")
    for color in COLORS
    for number, thing in enumerate(THINGS)
]
PAGES = [
    f"Shop [SEP] {wish} [SEP] Back to Search [SEP] B0G{number} [SEP] {COLORS[number % 7]}"
    for number, wish in enumerate(WISHES)
]
ACTIONS = [f"{verb}[{what}]" for verb in ("search", "click") for what in COLORS] * 9


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    return tiny.build_unit_tokenizer([*ACTIONS, *WISHES, *PAGES], min_count=3)


def tokens(text: str) -> list[str]:
    """The text of each token."""
    return [str(tokenizer().decode([token])) for token in tokenizer().encode(text)]


def test_a_name_of_several_words_is_the_same_token_in_a_wish_on_a_page_and_in_an_action() -> None:
    for text in ("find a navy blue mug", "Shop [SEP] navy blue [SEP] more", "that navy blue one"):
        assert " navy blue" in tokens(text)
    assert tokens("click[navy blue]") == ["click[", " navy blue", "]"]


def test_words_that_stand_beside_many_others_stay_apart() -> None:
    assert tokens("find the red mug") == ["find", " the", " red", " mug"]


def test_a_code_is_the_same_token_on_a_page_and_in_an_action() -> None:
    assert "B0G11" in tokens(PAGES[11])
    assert tokens("click[B0G11]") == ["click[", "B0G11", "]"]


def test_layout_is_found_as_a_whole_with_the_space_before_a_code() -> None:
    found = tokens(PAGES[11])
    place = found.index("B0G11")
    assert found[place - 1] == " [SEP] Back to Search [SEP] "
    assert found[place + 1] == " [SEP]"


def test_a_part_of_a_name_is_a_token_where_it_stands_alone() -> None:
    assert tokens("find a blue mug") == ["find", " a", " blue", " mug"]


def test_what_one_episode_repeats_on_every_page_is_no_name() -> None:
    pages = [f"Shop [SEP] i want a mug of the finest clay [SEP] page {i}" for i in range(20)]
    assert " i want a mug of the finest clay" not in find_units(pages, min_count=5)


def test_equal_texts_give_an_equal_tokenizer() -> None:
    again = tiny.build_unit_tokenizer([*ACTIONS, *WISHES, *PAGES], min_count=3)
    assert again.backend_tokenizer.to_str() == tokenizer().backend_tokenizer.to_str()


@given(st.text())
def test_every_text_survives(text: str) -> None:
    assert tokenizer().decode(tokenizer().encode(text)) == text


PARTS = [
    "navy blue",
    " ",
    "  ",
    "B0G7",
    "b0g7",
    "[SEP]",
    "[",
    "click[",
    "]",
    "$7",
    ".95",
    "mug-",
    "'s",
    "7 x",
]


@given(st.lists(st.sampled_from(PARTS)))
def test_texts_close_to_its_own_survive(parts: list[str]) -> None:
    text = "".join(parts)
    assert tokenizer().decode(tokenizer().encode(text)) == text


def test_a_click_on_a_product_of_the_shop_is_a_few_tokens() -> None:
    env = env_class("agentgym/WebShop-v0")()
    texts, actions = [], []
    for seed, task in enumerate(env.panel("gen1/train").tasks[:40]):
        observation, _ = env.reset(options={"task": task})
        shopper, ended = env.demonstrator(seed=seed), False
        shopper.reset(observation)
        texts.append(observation.text)
        while not ended:
            actions.append(shopper.act())
            observation, _, ended, _, _ = env.step(actions[-1])
            shopper.observe(actions[-1], observation)
            texts.append(observation.text)
    found = tiny.build_unit_tokenizer([*texts, *actions], min_count=5)
    on_products = [action for action in actions if action.startswith("click[B0")]
    assert {len(found.encode(action)) for action in on_products} == {3}
    assert mean(len(found.encode(text)) for text in texts) < 120

"""The small model's tokenizer: few tokens for the world's own text, exact on any other."""

from __future__ import annotations

import random
from statistics import mean

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import alfworld_episodes, tiny_tokenizer

from agentgym.trainers import tiny


def encode(text: str) -> list[int]:
    return list(tiny_tokenizer().encode(text))


def tokens(text: str) -> list[str]:
    """The text of each token."""
    return [str(tiny_tokenizer().decode([token])) for token in encode(text)]


def test_entities_and_phrases_are_one_token_each() -> None:
    text = "You arrive at sinkbasin 1. On the sinkbasin 1, you see nothing."
    assert tokens(text) == [
        "You arrive at ",
        "sinkbasin 1",
        ". On the ",
        "sinkbasin 1",
        ", you see nothing.",
    ]
    assert tokens("Nothing happens.") == ["Nothing happens."]
    assert tokens("go to cabinet 4") == ["go to ", "cabinet 4"]


def test_the_goal_and_its_objects_are_separate_tokens() -> None:
    first = alfworld_episodes(60)[0][0]
    goal = first[first.index(".\n\nYour task is to: ") :]
    phrase, *rest = tokens(goal)
    assert phrase.startswith(".\n\nYour task is to: ")
    assert all(word.isalpha() or word.endswith((" ", ".")) for word in rest)
    assert len(rest) <= 4


def test_an_episode_is_short_and_an_action_shorter() -> None:
    # The goal is about 170 tokens for an episode of 11 turns, framing included.
    episodes = alfworld_episodes(60)
    turns = mean(len(texts) // 2 for texts in episodes)
    size = mean(
        sum(len(encode(text)) + 1 for text in texts) + len(texts) // 2 for texts in episodes
    )
    assert size / turns < 18
    actions = [len(encode(text)) for texts in episodes for text in texts[1::2] if "eat" not in text]
    assert mean(actions) < 3.5
    assert len(tiny_tokenizer()) < 700


def test_unseen_houses_cost_little_more() -> None:
    episodes = alfworld_episodes(20, "gen1/unseen")
    turns = sum(len(texts) // 2 for texts in episodes)
    assert sum(len(encode(text)) for texts in episodes for text in texts) / turns < 18


@given(st.text())
def test_every_text_survives(text: str) -> None:
    assert tiny_tokenizer().decode(encode(text)) == text


@given(
    st.lists(st.sampled_from(["mug 1", "mug 12", "mug", "smug 1", " ", ", and a ", "go to", "<"]))
)
def test_texts_close_to_the_worlds_own_survive(parts: list[str]) -> None:
    text = "".join(parts)
    assert tiny_tokenizer().decode(encode(text)) == text


def test_an_entity_is_not_read_into_a_longer_number() -> None:
    assert tokens("cabinet 4") == ["cabinet 4"]
    assert "cabinet 4" not in tokens("cabinet 499")


def test_special_tokens_are_not_made_from_text_that_only_resembles_them() -> None:
    special = set(tiny_tokenizer().all_special_ids)
    assert not special & set(encode("< obs> <obs <end >"))
    assert special & set(encode("<obs>"))


def test_equal_texts_in_any_order_give_an_equal_tokenizer() -> None:
    texts = [text for texts in alfworld_episodes(60) for text in texts]
    random.Random(0).shuffle(texts)
    again = tiny.build_tokenizer(texts, min_count=3)
    assert again.get_vocab() == tiny_tokenizer().get_vocab()


def test_rare_pieces_get_no_token() -> None:
    found = tiny.find_phrases(["You eat mug 1."] * 9 + ["You eat pan 7."], min_count=5)
    assert found == ["You eat ", "mug 1", "mug"]


def test_a_rare_fragment_is_tried_by_sentences_then_by_words() -> None:
    # Four texts without entities, all different; "Hello. " and " you" are common to them.
    texts = ["Hello. I see you", "Hello. We hear you", "Hello. They know you", "Hello. Are you"]
    assert tiny.find_phrases(texts, min_count=4) == [" you", "Hello. "]


def test_the_template_frames_messages_and_leaves_the_system_out() -> None:
    messages = [
        {"role": "system", "content": "rules"},
        {"role": "user", "content": "see"},
        {"role": "assistant", "content": "act"},
        {"role": "user", "content": "seen"},
    ]
    tokenizer = tiny_tokenizer()
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == "<obs>see<act>act<end><obs>seen<act>"
    assert tokenizer.apply_chat_template(messages[:3], tokenize=False) == "<obs>see<act>act<end>"


def test_weights_follow_from_the_seed_alone() -> None:
    state = torch.random.get_rng_state()
    first, again, other = (
        tiny.build_model(tiny_tokenizer(), tiny.Size(), seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), state)
    weights = [model.model.layers[0].mlp.up_proj.weight for model in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_embeddings_begin_as_far_apart_as_is_asked_and_nothing_else_changes() -> None:
    usual, wide = (
        tiny.build_model(tiny_tokenizer(), tiny.Size(embedding_std=std), seed=0).state_dict()
        for std in (0.02, 0.1)
    )
    name = "model.embed_tokens.weight"
    assert torch.allclose(wide[name], 5 * usual[name])
    assert float(usual[name].std()) == pytest.approx(0.02, rel=0.05)
    assert all(
        torch.equal(wide[key], usual[key])
        for key in usual
        if "embed" not in key and "head" not in key
    )


def test_the_default_model_is_of_the_promised_size() -> None:
    model = tiny.build_model(tiny_tokenizer(), tiny.Size(), seed=0)
    assert 0.5e6 < sum(parameter.numel() for parameter in model.parameters()) < 1.5e6


def test_every_word_of_a_proper_name_is_one_token_whatever_is_around_it() -> None:
    names = ["Mara Holt", "Silent Harbor", "Mara Harbor", "Silent Holt"]
    texts = [f"Who is {n}'s friend? {n} met her in May 1912. ({n})" for n in names]
    found = tiny.find_phrases(texts * 3, min_count=3)
    assert {"Mara ", "Silent ", "Holt", "Harbor", "May ", " met her in "} <= set(found)
    assert not any("Holt" in phrase and phrase != "Holt" for phrase in found)
    tokenizer = tiny.build_tokenizer(texts, min_count=1)
    for text in ("(Mara Holt)", "Mara Holt's", "by Mara Holt.", "-Mara Holt\n"):
        seen = [tokenizer.decode([i]) for i in tokenizer.encode(text)]
        assert seen[seen.index("Mara ") + 1] == "Holt"
    seen = [tokenizer.decode([i]) for i in tokenizer.encode("May 1987")]
    assert seen == ["May ", "1", "9", "8", "7"]


def split_by(texts: list[str], text: str, *, min_count: int) -> list[str]:
    tokenizer = tiny.build_tokenizer(texts, min_count=min_count)
    return [str(tokenizer.decode([token])) for token in tokenizer.encode(text)]


def test_a_code_is_one_token_however_rare() -> None:
    texts = ["click[B0G3]", "click[back]", "click[back]", "see B07X, $5"]
    assert "B07X" in split_by(texts, "click[B07X]", min_count=2)


def test_a_phrase_is_not_read_into_a_word() -> None:
    texts = ["so i", "so i", "in it"]
    assert split_by(texts, "so i", min_count=2) == ["so i"]
    assert "so i" not in split_by(texts, "so in", min_count=2)


def test_a_word_that_no_phrase_has_is_a_token_where_it_is_frequent() -> None:
    texts = [f"weight{mark}" for mark in ".,;:!?)]"]
    assert "weight" in split_by(texts, "(weight)", min_count=5)

"""The two scores: hand-worked values, and equality with their definitions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgym.envs.search.reward import exact_match, squad_normal, word_f1
from oracles import answer_scores

WORDS = ["the", "a", "an", "New", "new", "York", "york!", "City", "U.S.", "-", "an,the", "É"]
TEXT = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join) | st.text(max_size=12)
TEXTS = st.lists(TEXT, min_size=1, max_size=3)


@pytest.mark.parametrize(
    ("answer", "accepted", "em", "f1"),
    [
        ("Port Orvik", ["Port Orvik"], 1, 1),
        ("port orvik.", ["Port Orvik"], 1, 1),
        # {port} and {port, orvik}: 2 * 1 / (1 + 2)
        ("Port", ["Port Orvik"], 0, 2 / 3),
        ("New York City", ["new york"], 0, 0.8),
        # sets of words: the repeated "the" counts once
        ("the the cat", ["the cat"], 1, 1),
        # exact match drops articles, F1 keeps them: {the, cat} and {cat}
        ("the cat", ["cat"], 1, 2 / 3),
        # exact match deletes punctuation: "us" and "u s"; F1 makes it a space
        ("U.S.", ["u s"], 0, 1),
        ("U.S.", ["us"], 1, 0),
        ("", ["cat"], 0, 0),
        ("dog", ["cat", "dog"], 1, 1),
        # the best of 0 and 2 * 1 / (2 + 1)
        ("big dog", ["cat", "dog"], 0, 2 / 3),
        ("The", ["a"], 1, 0),
    ],
)
def test_scores_are_as_worked_by_hand(
    answer: str, accepted: list[str], em: float, f1: float
) -> None:
    assert exact_match(answer, accepted) == em
    assert word_f1(answer, accepted) == pytest.approx(f1, abs=1e-12)


@settings(max_examples=500)
@given(TEXT, TEXTS)
def test_scores_equal_their_definitions(answer: str, accepted: list[str]) -> None:
    assert exact_match(answer, accepted) == answer_scores.exact_match(answer, accepted)
    assert word_f1(answer, accepted) == pytest.approx(
        answer_scores.word_f1(answer, accepted), abs=1e-12
    )


@given(TEXT, TEXTS)
def test_more_accepted_answers_never_score_less(answer: str, accepted: list[str]) -> None:
    for score in (exact_match, word_f1):
        assert score(answer, accepted) == max(score(answer, [each]) for each in accepted)
        assert 0.0 <= score(answer, accepted) <= 1.0


@given(TEXT)
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = squad_normal(text)
    # Deleting punctuation may put an article together ("t-he"), but it is dropped in the same go.
    assert squad_normal(once) == once

"""The spaces hold every text and every observation, and behave as Gymnasium expects."""

from __future__ import annotations

import pytest
from gymnasium.vector.utils import batch_space, iterate
from hypothesis import given
from hypothesis import strategies as st

from agentgym.spaces import ObservationSpace, UnicodeText
from agentgym.types import Observation

ANY_TEXT = st.text(st.characters())
"""Lone surrogates included, which `st.text()` leaves out."""


@given(ANY_TEXT)
def test_every_string_is_an_action(text: str) -> None:
    assert text in UnicodeText()


@pytest.mark.parametrize("text", ["", " ", "\0", "\ud800", "\u202eabc", "caf\u00e9", "a" * 10**6])
def test_strings_that_gymnasiums_own_text_space_refuses_are_actions(text: str) -> None:
    assert text in UnicodeText()


@pytest.mark.parametrize("other", [None, 1, b"look", ["look"], Observation(text="look")])
def test_nothing_but_a_string_is_an_action(other: object) -> None:
    assert other not in UnicodeText()


@given(ANY_TEXT)
def test_every_observation_is_in_its_space(text: str) -> None:
    assert Observation(text=text, choices=(text,), image=b"png") in ObservationSpace()
    assert text not in ObservationSpace()


@pytest.mark.parametrize("kind", [UnicodeText, ObservationSpace])
def test_samples_lie_in_the_space_and_repeat_under_a_seed(
    kind: type[UnicodeText] | type[ObservationSpace],
) -> None:
    one, two = kind(seed=5), kind(seed=5)
    samples = [one.sample() for _ in range(50)]
    assert all(sample in one for sample in samples)
    assert samples == [two.sample() for _ in range(50)]
    assert len({str(sample) for sample in samples}) > 10


def test_spaces_of_one_kind_are_equal_whatever_their_seed() -> None:
    assert UnicodeText(seed=1) == UnicodeText(seed=2)
    assert ObservationSpace(seed=1) == ObservationSpace(seed=2)
    assert UnicodeText() != ObservationSpace()


def test_a_vector_of_environments_can_batch_the_spaces() -> None:
    space = batch_space(ObservationSpace(), n=2)
    observations = (Observation(text="a"), Observation(text="b"))
    assert observations in space
    assert tuple(iterate(space, observations)) == observations

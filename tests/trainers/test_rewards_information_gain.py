"""The information-gain channel: what it asks, and what it makes of the answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import episode, gained, group, scored, turn

from agentgym import UsageError
from agentgym.registry import rewards
from agentgym.trainers.credit.igpo import Igpo
from agentgym.trainers.rewards import Answer, Reward, Text
from agentgym.trainers.rewards.information_gain import InformationGain
from agentgym.types import Episode, Json, Task

FORMS = [
    InformationGain(difference=difference, aliases=aliases, tokens=tokens)
    for difference in ("log", "prob")
    for aliases in ("max", "logsumexp")
    for tokens in ("mean", "sum")
]
"""Every form of the gain."""


def played(num_turns: int) -> Episode:
    return episode(gained([None] * num_turns), 1.0)


def task(answers: Json) -> Task:
    return Task(id="t7", split="s", seed=0, secret={"answers": answers})


def answers(*states: Sequence[tuple[float, ...] | None]) -> list[Answer]:
    return [Answer(logprobs=tuple(texts)) for texts in states]


def test_it_asks_for_every_alias_in_every_state_before_a_turn() -> None:
    reward: Reward = rewards.make("information_gain", prefix="answer[", suffix="]")
    questions = reward.asks(played(3), task(["Oslo", "Christiania"]))
    assert [question.turn for question in questions] == [0, 1, 2]
    texts = (
        Text(prefix="answer[", scored="Oslo", suffix="]"),
        Text(prefix="answer[", scored="Christiania", suffix="]"),
    )
    assert [question.texts for question in questions] == [texts] * 3


def test_only_the_answer_lies_in_the_scored_span() -> None:
    text = Text(prefix="answer[", scored="Oslo", suffix="]")
    begin, end = text.span
    assert (text.text, text.text[begin:end]) == ("answer[Oslo]", "Oslo")


def test_a_lone_text_is_one_alias() -> None:
    questions = InformationGain().asks(played(2), task("Oslo"))
    assert questions[0].texts == (Text(scored="Oslo"),)


@pytest.mark.parametrize("num_turns", [0, 1])
def test_an_episode_without_two_turns_has_nothing_to_ask(num_turns: int) -> None:
    reward = InformationGain()
    assert reward.asks(played(num_turns), task("Oslo")) == ()
    assert reward.score(played(num_turns), task("Oslo"), []) == (None,) * num_turns


def test_the_score_is_the_mean_over_the_answers_tokens() -> None:
    # Means -1.6 and -.6; geometric mean probabilities .201897 and .548812.
    told = answers([(-1.6, -1.6)], [(-0.2, -1.0, -0.6)])
    log = InformationGain().score(played(2), task("x"), told)
    prob = InformationGain(difference="prob").score(played(2), task("x"), told)
    assert log[0] == pytest.approx(1.0)
    assert prob[0] == pytest.approx(0.548812 - 0.201897, abs=1e-6)
    assert (log[1], prob[1]) == (None, None)


@pytest.mark.parametrize(
    ("fields", "gain"),
    [({}, -0.6), ({"difference": "prob"}, 0.548812), ({"tokens": "sum"}, -1.8)],
)
def test_i1_scores_an_answer_by_its_geometric_mean(fields: dict[str, Any], gain: float) -> None:
    """The product of the probabilities, .165299, is what only a sum would be."""
    certain, told = (0.0, 0.0, 0.0), (-0.2, -1.0, -0.6)
    channel = InformationGain(**fields)
    (found, _) = channel.score(played(2), task("x"), answers([certain], [told]))
    base = 1.0 if fields.get("difference") == "prob" else 0.0
    assert found == pytest.approx(gain - base, abs=1e-6)
    assert math.exp(-1.8) == pytest.approx(0.165299, abs=1e-6)


def test_the_best_alias_counts_or_their_sum() -> None:
    told = answers([(-3.0,), (-3.0,)], [(-2.0,), (-1.0,)])
    best = InformationGain(aliases="max").score(played(2), task(["x", "y"]), told)
    both = InformationGain(aliases="logsumexp").score(played(2), task(["x", "y"]), told)
    assert best[0] == pytest.approx(2.0)
    # log(e^-2 + e^-1) = -.686738; log(2 e^-3) = -2.306853.
    assert both[0] == pytest.approx(-0.686738 + 2.306853, abs=1e-6)


def test_a_state_that_did_not_fit_leaves_the_turns_beside_it_without_a_gain() -> None:
    told = answers([(-3.0,), (-4.0,)], [(-2.0,), (-4.0,)], [(-1.0,), None], [(-1.0,), (-1.0,)])
    gains = InformationGain().score(played(4), task(["x", "y"]), told)
    assert gains == (1.0, None, None, None)


def reading(*texts: str, first: str = "Which city?") -> Episode:
    """An episode that saw these; the last of them at its end."""
    return episode([turn("look", text) for text in texts], 1.0, first=first)


CITY = task(["Port Orvik", "Orvik"])
TOLD = answers([(-3.0,), (-4.0,)], [(-2.0,), (-2.5,)], [(-1.0,), (-0.5, -0.7)], [(-0.1,), (-0.1,)])
"""Scores -3, -2, -.6, -.1 in the states of four turns."""


@pytest.mark.parametrize("difference", ["log", "prob"])
@pytest.mark.parametrize(
    ("texts", "gold"),
    [
        (("fog", "It lies in Port\nORVIK, by the sea.", "Port Orvik", "Bye."), -0.6),
        (("(orvik)", "fog", "fog", "Bye."), -2.0),
        (("fog", "fog", "From Port-Orvik.", "Bye."), -0.1),
    ],
    ids=["second", "first", "third"],
)
def test_the_score_is_measured_in_nats_where_an_answer_first_came_into_sight(
    difference: Literal["log", "prob"], texts: Sequence[str], gold: float
) -> None:
    measured = InformationGain(difference=difference).measure(reading(*texts), CITY, TOLD)
    assert measured == pytest.approx({"ell_start": -3.0, "ell_gold": gold})


@pytest.mark.parametrize(
    "seen",
    [
        reading("fog", "fog", "fog", "fog"),
        reading("Orviks", "Norvik", "orvik_2", "fog"),
        reading("fog", "fog", "fog", "Orvik, indeed."),
        reading("Orvik", "fog", "fog", "fog", first="Port Orvik or Hem?"),
    ],
    ids=["never", "inside other words", "at the end", "in the question"],
)
def test_nothing_is_measured_where_no_turn_brought_an_answer_in_time(seen: Episode) -> None:
    assert InformationGain().measure(seen, CITY, TOLD) == {}


@pytest.mark.parametrize("unscored", [0, 1])
def test_both_scores_are_measured_or_neither(unscored: int) -> None:
    told = [*TOLD[:unscored], *answers([(-2.0,), None]), *TOLD[unscored + 1 :]]
    seen = reading("Orvik", "Orvik", "Orvik", "Bye.")
    assert InformationGain().measure(seen, CITY, told) == {}


def test_an_episode_without_two_turns_has_nothing_to_measure() -> None:
    for seen in (reading(), reading("Orvik")):
        assert InformationGain().measure(seen, CITY, []) == {}


def test_an_answer_without_a_word_is_never_in_sight() -> None:
    told = answers([(-3.0,)], [(-2.0,)])
    assert InformationGain().measure(reading("...", "Bye."), task("?!"), told) == {}


def test_the_tokens_of_an_answer_can_be_summed() -> None:
    told = answers([(-1.6, -1.6)], [(-0.2, -1.0, -0.6)])
    gains = InformationGain(tokens="sum").score(played(2), task("x"), told)
    assert gains[0] == pytest.approx(-1.8 + 3.2)


def test_a_frozen_scorer_is_asked_by_name() -> None:
    plain, frozen = InformationGain(), InformationGain(scorer="reference")
    assert (plain.asks_reference, frozen.asks_reference) == (False, True)
    assert {q.frozen for q in plain.asks(played(3), task("x"))} == {False}
    assert {q.frozen for q in frozen.asks(played(3), task("x"))} == {True}


Scored = list[list[tuple[float, ...]]]

token = st.floats(-20, 0)
two_aliases = st.tuples(
    st.lists(token, min_size=1, max_size=3).map(tuple), st.tuples(token, token)
).map(list)
states = st.lists(two_aliases, min_size=2, max_size=8)


@settings(max_examples=500)
@given(states)
def test_gains_telescope(told: Scored) -> None:
    """Whatever the form: so going round in circles earns nothing."""
    for channel in FORMS:
        found = channel.score(played(len(told)), task(["x", "y"]), answers(*told))
        known = [gain for gain in found if gain is not None]
        assert len(known) == len(told) - 1
        # An episode of two turns, before the first and before the last of these.
        ends = channel.score(played(2), task(["x", "y"]), answers(told[0], told[-1]))
        assert math.fsum(known) == pytest.approx(ends[0], abs=1e-9)
        loop = [*told, told[0]]
        found = channel.score(played(len(loop)), task(["x", "y"]), answers(*loop))
        assert math.fsum(gain or 0.0 for gain in found) == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=500)
@given(states)
def test_what_a_gain_adds_to_the_turns_before_it_telescopes_too(told: Scored) -> None:
    """Undiscounted and only centred, a turn's credit is what was still to come."""
    gains = InformationGain().score(played(len(told)), task(["x", "y"]), answers(*told))
    ((row,),) = Igpo(std="none")(scored(group(episode(gained(gains), 1.0)))).advantages
    known = [gain for gain in gains if gain is not None]
    flat = max(known) - min(known) < 1e-4
    mean = math.fsum(known) / len(known)
    scores = [max(sum(row) / len(row) for row in state) for state in told]
    for k, credit in enumerate(row):
        ahead = scores[-1] - scores[k] - mean * (len(known) - k)
        assert credit == pytest.approx(0.0 if flat else ahead, abs=1e-8)


@pytest.mark.parametrize("secret", [None, [], "  ", ["canary", " "], ["canary", 7], 42])
def test_a_task_without_usable_answers_is_named_and_its_secret_is_not(secret: Json) -> None:
    with pytest.raises(UsageError, match="task 't7': secret 'answers'") as caught:
        InformationGain().asks(played(2), task(secret))
    assert "canary" not in str(caught.value)


def test_the_secrets_field_can_be_set() -> None:
    other = Task(id="t", split="s", seed=0, secret={"gold": "Oslo"})
    (before, _) = InformationGain(field="gold").asks(played(2), other)
    assert before.texts == (Text(scored="Oslo"),)

"""Samplers other than the model's own distribution: what passes, what is kept, where they stop."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tiny_models import tiny_policy

from agentgym.engine import Engine, Generation, Request, Sampler
from agentgym.trainers.engines.local import LocalEngine
from agentgym.trainers.engines.naive import NaiveEngine
from agentgym.trainers.engines.sampling import Drawn, sample
from agentgym.trainers.engines.stops import completes
from agentgym.types import EpisodeId
from oracles import truncation

LOGITS = st.lists(st.integers(-40, 40), min_size=1, max_size=300)
"""In quarters; of more than 81 tokens some are equally likely."""
SAMPLERS = st.builds(
    Sampler,
    temperature=st.sampled_from([0.5, 1.0, 2.0]),
    top_p=st.floats(0.01, 1),
    top_k=st.none() | st.integers(1, 400),
    min_p=st.floats(0, 1),
)


def draw(logits: torch.Tensor, samplers: Sequence[Sampler]) -> Drawn:
    """One token for each row."""
    rows = range(len(samplers))
    return sample(logits, seeds=rows, indices=[0] * len(rows), samplers=samplers)


def passing(logits: Sequence[float], sampler: Sampler, *, nudge: float = 0.0) -> set[int]:
    """The tokens that may be drawn, all bounds being moved by a share of themselves."""
    probs = truncation.softmax(logits, float(sampler.temperature))
    found = truncation.nucleus(probs, sampler.top_p * (1 + nudge))
    found &= truncation.at_least(probs, sampler.min_p * (1 - nudge))
    return found & truncation.top(probs, sampler.top_k or len(probs))


@settings(max_examples=150)
@given(quarters=LOGITS, samplers=st.lists(SAMPLERS, min_size=1, max_size=4))
def test_a_token_that_passes_is_drawn_and_the_mass_of_those_that_do_is_kept(
    quarters: list[int], samplers: list[Sampler]
) -> None:
    logits = [[(q + row) % 81 / 4 for q in quarters] for row in range(len(samplers))]
    drawn = draw(torch.tensor(logits), samplers)
    rows = zip(logits, samplers, drawn.ids, drawn.logprobs, drawn.kept, strict=True)
    for row, sampler, token, logprob, kept in rows:
        found = passing(row, sampler)
        # What float32 rounds at a bound is nobody's definition.
        assume(passing(row, sampler, nudge=1e-5) == passing(row, sampler, nudge=-1e-5))
        probs = truncation.softmax(row, 1.0)
        assert token in found
        assert logprob == pytest.approx(math.log(probs[token]), abs=1e-4)
        mass = math.fsum(probs[t] ** (1 / float(sampler.temperature)) for t in found)
        assert kept is None if sampler.plain else kept == pytest.approx(mass, rel=1e-4)


def test_draws_follow_what_is_left_of_the_softmax() -> None:
    count = 20_000
    logits = torch.tensor([0.0, 1.0, 2.0, -1.0])
    drawn = draw(logits.expand(count, -1), [Sampler(temperature=0.5, top_k=3)] * count)
    shares = torch.bincount(torch.tensor(drawn.ids), minlength=4) / count
    expected = torch.tensor([0.0, 2.0, 4.0, -torch.inf]).softmax(-1)
    # 5 standard deviations of the widest share: sqrt(0.25 / 20000) = 0.0035.
    assert (shares - expected).abs().max() < 0.018


def test_tokens_as_likely_as_the_last_that_passes_pass_too() -> None:
    logits = torch.tensor([1.0, 2.0, 1.0, 0.0]).expand(200, -1)
    for sampler in (Sampler(top_k=2), Sampler(top_p=0.7), Sampler(min_p=0.36)):
        assert set(draw(logits, [sampler] * 200).ids) == {0, 1, 2}


def test_a_truncated_row_changes_no_bit_of_the_plain_one_beside_it() -> None:
    logits = torch.randn(8, 500, generator=torch.Generator().manual_seed(0))
    alone = draw(logits, [Sampler()] * 8)
    odd = [Sampler(top_p=0.5), Sampler(top_k=3), Sampler(temperature=0.7), Sampler(temperature=0)]
    mixed = draw(logits, [Sampler()] * 4 + odd)
    assert mixed.ids[:4] == alone.ids[:4]
    assert mixed.logprobs[:4] == alone.logprobs[:4]
    assert mixed.kept[:4] == [None] * 4
    assert [kept is None for kept in mixed.kept[4:]] == [False, False, False, True]


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ({"top_p": 0.0}, "greater than 0"),
        ({"top_p": 1.1}, "less than or equal to 1"),
        ({"top_k": 0}, "greater than or equal to 1"),
        ({"min_p": -0.1}, "greater than or equal to 0"),
        ({"temperature": -1.0}, "greater than or equal to 0.05"),
        ({"temperature": 0.01}, "greater than or equal to 0.05"),
        ({"stop": ("",)}, "at least 1 character"),
        ({"stop": "word"}, "valid tuple"),
        ({"top": 3}, "Extra inputs"),
    ],
)
def test_a_bad_sampler_is_refused(setting: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Sampler(**setting)


def ask(number: int, sampler: Sampler, *, max_tokens: int = 12) -> Request:
    return Request(
        episode=EpisodeId(step=0, group=number, member=0),
        turn=0,
        ids=tuple(range(number + 3)),
        messages=(),
        seed=number,
        max_tokens=max_tokens,
        sampler=sampler,
    )


async def together(engine: Engine, requests: Sequence[Request]) -> list[Generation]:
    return await asyncio.gather(*(engine.generate(request) for request in requests))


def test_the_local_engine_draws_and_keeps_what_the_naive_one_does() -> None:
    policy = tiny_policy()
    samplers = [
        Sampler(),
        Sampler(temperature=0),
        Sampler(temperature=1.5, top_p=0.8),
        Sampler(top_k=5),
        Sampler(temperature=0.3, min_p=0.2, stop=("a",)),
        Sampler(stop=("zzzzzz", "e")),
    ]
    requests = [ask(n, sampler) for n, sampler in enumerate(samplers * 3)]
    local = asyncio.run(together(LocalEngine(policy), requests))
    naive = asyncio.run(together(NaiveEngine(policy), requests))
    assert [(g.ids, g.finish) for g in local] == [(g.ids, g.finish) for g in naive]
    for one, other in zip(local, naive, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
        assert (one.kept is None) == (other.kept is None)
        assert (one.kept or ()) == pytest.approx(other.kept or (), rel=1e-3)


def test_a_stop_string_ends_an_action_with_the_token_that_completes_it() -> None:
    policy = tiny_policy()
    policy.end_ids = frozenset()
    free = [ask(n, Sampler(), max_tokens=8) for n in range(6)]
    whole = asyncio.run(together(LocalEngine(policy), free))
    for request, said in zip(free, whole, strict=True):
        # From inside the second token to inside the fourth.
        places = [len(policy.decode(said.ids[:n])) for n in range(5)]
        stop = policy.decode(said.ids)[places[1] + 1 : places[3] + 1]
        expected = next(n for n in range(9) if stop in policy.decode(said.ids[:n]))
        (cut,) = asyncio.run(
            together(LocalEngine(policy), [replace(request, sampler=Sampler(stop=(stop,)))])
        )
        assert cut.ids == said.ids[:expected]
        assert cut.finish == "stop"
        assert not policy.decode(cut.ids[:-1]).count(stop)


@settings(max_examples=200)
@given(
    texts=st.lists(st.text("ab\u00e9\U0001f600", max_size=6).map(str.encode), max_size=30),
    stop=st.lists(st.text("ab\u00e9\U0001f600", min_size=1, max_size=5), min_size=1, max_size=3),
    split=st.integers(1, 3),
)
def test_the_last_tokens_tell_what_the_whole_text_does(
    texts: list[bytes], stop: list[str], split: int
) -> None:
    # Tokens of some bytes each, empty ones among them, that cut characters anywhere.
    pieces = [text[i : i + split] for text in texts for i in range(0, len(text) + 1, split)]

    def decode(ids: Sequence[int]) -> str:
        return b"".join(pieces[i] for i in ids).decode("utf-8", "replace")

    for end in range(1, len(pieces) + 1):
        whole = decode(range(end))
        found = any(string in whole for string in stop)
        assert completes(range(end), stop, decode) == found
        if found:
            break

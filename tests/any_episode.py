"""Any episode at all, for Hypothesis: whatever the types allow."""

from __future__ import annotations

from hypothesis import strategies as st

from agentgym.types import (
    Episode,
    EpisodeId,
    ErrorInfo,
    Finish,
    Observation,
    Status,
    Turn,
)

TEXTS = st.text(max_size=20)
"""Every character but lone surrogates: control characters, emoji, right-to-left marks."""
NUMBERS = st.floats(allow_nan=False, width=64)
TOKENS = st.integers(min_value=0, max_value=2**31 - 1)
FINISHES: st.SearchStrategy[Finish] = st.sampled_from(("stop", "length"))

OBSERVATIONS = st.builds(
    Observation,
    text=TEXTS,
    choices=st.none() | st.lists(TEXTS, max_size=3).map(tuple),
    image=st.none() | st.binary(max_size=20),
    key=TEXTS,
)
ERRORS = st.builds(
    ErrorInfo, type=TEXTS, phase=TEXTS, message=TEXTS, action=st.none() | TEXTS, trace=TEXTS
)


@st.composite
def any_turn(draw: st.DrawFn) -> Turn:
    """A turn whose parallel fields are parallel."""
    action_ids = draw(st.lists(TOKENS, max_size=4))
    size = len(action_ids)
    per_token = st.lists(NUMBERS, min_size=size, max_size=size).map(tuple)
    return Turn(
        segment=draw(st.integers(0, 5)),
        prompt_ids=tuple(draw(st.lists(TOKENS, max_size=4))),
        action_ids=tuple(action_ids),
        logprobs=draw(per_token),
        finish=draw(FINISHES),
        text=draw(TEXTS),
        action=draw(st.none() | TEXTS),
        invalid=draw(st.none() | TEXTS),
        observation=draw(OBSERVATIONS),
        reward=draw(NUMBERS),
        channels=draw(st.dictionaries(TEXTS, st.none() | NUMBERS, max_size=3)),
        values=draw(st.none() | per_token),
        temperature=draw(NUMBERS),
        kept=draw(st.none() | per_token),
        seconds=draw(NUMBERS),
    )


@st.composite
def any_episode(draw: st.DrawFn) -> Episode:
    """An episode whose parallel fields are parallel."""
    turns = draw(st.lists(any_turn(), max_size=3))
    size = len(turns)
    tokens = [len(turn.action_ids) for turn in turns]
    per_token = st.tuples(*(st.lists(NUMBERS, min_size=n, max_size=n).map(tuple) for n in tokens))
    small = st.integers(0, 2**31 - 1)
    return Episode(
        id=EpisodeId(step=draw(small), group=draw(small), member=draw(small)),
        task_id=draw(TEXTS),
        panel_hash=draw(TEXTS),
        env=draw(TEXTS),
        seed=draw(st.integers(0, 2**63 - 1)),
        system_prompt=draw(TEXTS),
        first=draw(st.none() | OBSERVATIONS),
        turns=tuple(turns),
        status=draw(st.sampled_from(Status)),
        score=draw(st.none() | NUMBERS),
        success=draw(st.none() | st.booleans()),
        policy_version=draw(small),
        error=draw(st.none() | ERRORS),
        advantages=draw(st.none() | st.lists(NUMBERS, min_size=size, max_size=size).map(tuple)),
        token_advantages=draw(st.none() | per_token),
        facts=draw(st.dictionaries(TEXTS, NUMBERS | TEXTS | st.lists(TEXTS, max_size=2))),
    )

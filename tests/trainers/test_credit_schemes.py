"""What every registered credit scheme promises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scored import episode, group, scored, turn

from agentgym.registry import credits
from agentgym.trainers.credit import Credit
from agentgym.types import Episode, Group

SCHEMES = sorted(credits)

one_turn = st.builds(
    turn,
    st.sampled_from(["a", "b", None]),
    st.sampled_from(["x", "y"]),
    gain=st.one_of(st.none(), st.floats(-3, 3)),
    reward=st.integers(-2, 2).map(float),
    values=st.lists(st.integers(-4, 4).map(float), max_size=3),
)
member = st.builds(episode, st.lists(one_turn, max_size=5), st.floats(0, 1))
groups_of_members = st.lists(st.lists(member, max_size=5), min_size=1, max_size=3)


def make(name: str) -> Credit:
    scheme: Credit = credits.make(name)
    return scheme


@settings(max_examples=200)
@given(groups_of_members)
def test_there_is_one_number_for_every_turn_or_token_of_every_valid_member(
    rows: list[list[Episode]],
) -> None:
    groups = scored(*(group(*row) for row in rows))
    turns = [[[0.0] * len(member.turns) for member in row] for row in rows]
    tokens = [[[[0.0] * len(t.action_ids) for t in m.turns] for m in row] for row in rows]
    for name in SCHEMES:
        credited = make(name)(groups)
        assert zeros(credited.advantages) == turns, name
        assert credited.clip_scales is None or zeros(credited.clip_scales) == turns, name
        for found in (credited.token_advantages, credited.value_targets):
            assert found is None or zeros(found) == tokens, name
        assert 0.0 <= credited.metrics["credit/zero_groups"] <= 1.0


def zeros(nested: Any) -> Any:
    """The same lists with a zero for every number."""
    return [zeros(each) for each in nested] if isinstance(nested, tuple) else 0.0


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("groups", [(), (group(),), (group(episode((), 1.0)), group())])
def test_nothing_to_credit_is_no_error(name: str, groups: tuple[Group, ...]) -> None:
    credited = make(name)(scored(*groups))
    assert credited.advantages == tuple(tuple(() for _ in g.episodes) for g in groups)
    assert credited.metrics["credit/zero_groups"] == (1.0 if groups else 0.0)


@pytest.mark.parametrize("name", SCHEMES)
def test_an_unknown_setting_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="windw"):
        credits.make(name, windw=3)

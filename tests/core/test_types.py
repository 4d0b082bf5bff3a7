"""The records: frozen, checked where a mistake would travel, with derived facts."""

from __future__ import annotations

import dataclasses
import pickle
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.types import (
    Episode,
    EpisodeId,
    Group,
    Observation,
    Outcome,
    Parsed,
    Status,
    Task,
    Turn,
    normalize_text,
)

TURN: dict[str, Any] = {
    "segment": 0,
    "prompt_ids": (1, 2),
    "action_ids": (3, 4),
    "logprobs": (-0.5, -0.25),
    "finish": "stop",
    "text": "go",
    "action": "go",
    "invalid": None,
    "observation": Observation(text="there"),
    "reward": 0.0,
}


def make_episode(status: Status, *, score: float | None, member: int = 0) -> Episode:
    """An episode of one turn."""
    return Episode(
        id=EpisodeId(step=1, group=2, member=member),
        task_id="t",
        panel_hash="0",
        env="test/None-v0",
        seed=0,
        system_prompt="",
        first=Observation(text="here"),
        turns=(Turn(**TURN),),
        status=status,
        score=score,
        success=None,
        policy_version=0,
    )


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("  a\n\tb \u00a0 c ", "a b c"),
        ("\ufb01re\u2460", "fire1"),
        ("cafe\u0301", "caf\u00e9"),
        ("", ""),
    ],
)
def test_normal_text_folds_compatibility_forms_and_white_space(text: str, normal: str) -> None:
    assert normalize_text(text) == normal


@given(st.text())
def test_normal_text_is_in_normal_form_without_runs_of_spaces(text: str) -> None:
    normal = normalize_text(text)
    assert "  " not in normal
    assert normal == normal.strip()
    assert unicodedata.is_normalized("NFKC", normal)


def test_an_observations_key_is_its_normal_text_unless_given() -> None:
    assert Observation(text="a  b").key == Observation(text="a b\n").key == "a b"
    assert Observation(text="a  b", key="state 3").key == "state 3"


def test_an_observations_state_is_its_key_unless_given() -> None:
    assert Observation(text="a  b").state == "a b"
    assert Observation(text="a  b", key="room 3").state == "room 3"
    assert Observation(text="a  b", state="room 3, holding a mug").key == "a b"


@pytest.mark.parametrize("given_fields", [{}, {"action": "go", "invalid": "why"}])
def test_parsed_is_an_action_or_a_reason(given_fields: dict[str, str]) -> None:
    with pytest.raises(AssertionError, match="either an action or a reason"):
        Parsed(**given_fields)


def test_an_empty_action_is_an_action() -> None:
    assert Parsed(action="").action == ""


def test_a_turn_needs_one_logprob_per_action_token() -> None:
    with pytest.raises(ValueError, match="2 action ids but 1 logprobs"):
        Turn(**(TURN | {"logprobs": (-0.5,)}))


@pytest.mark.parametrize("status", Status)
def test_only_our_own_failures_are_untrainable(status: Status) -> None:
    assert status.trainable == (status not in {"score_error", "infra_error"})
    assert make_episode(status, score=1.0).valid == status.trainable
    assert not make_episode(status, score=None).valid


def test_a_groups_valid_members_keep_their_order() -> None:
    members = (
        make_episode(Status.FAILURE, score=0.0, member=0),
        make_episode(Status.INFRA_ERROR, score=None, member=1),
        make_episode(Status.SUCCESS, score=1.0, member=2),
        make_episode(Status.SCORE_ERROR, score=None, member=3),
    )
    group = Group(task_id="t", episodes=members)
    assert [episode.id.member for episode in group.valid] == [0, 2]
    assert Group(task_id="t", episodes=members[1:2]).valid == ()


def test_episode_ids_read_aloud_and_sort_by_step_group_member() -> None:
    ids = [EpisodeId(step=s, group=g, member=m) for s in (1, 0) for g in (10, 9) for m in (1, 0)]
    assert str(ids[0]) == "step=1/group=10/member=1"
    assert sorted(ids) == sorted(ids, key=lambda each: (each.step, each.group, each.member))


@pytest.mark.parametrize(
    "record",
    [
        Task(id="a", split="b", seed=1),
        Observation(text="a"),
        Outcome(score=1.0, success=True),
        Turn(**TURN),
        make_episode(Status.SUCCESS, score=1.0),
    ],
)
def test_records_are_frozen_and_travel_between_processes(record: Any) -> None:
    name = dataclasses.fields(record)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field"):
        setattr(record, name, "other")
    assert pickle.loads(pickle.dumps(record)) == record

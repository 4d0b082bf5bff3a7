"""ToolEnv: methods become tools, and what a model gets wrong is told to it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tool_env import PlainShelf, Shelf

from agentgym.checker import check_env
from agentgym.errors import UsageError
from agentgym.tools import ToolEnv, tool


def said(*calls: Any) -> str:
    """A turn in Hermes' form."""
    return "\n".join(f"<tool_call>\n{json.dumps(call)}\n</tool_call>" for call in calls)


def put(**arguments: Any) -> dict[str, Any]:
    """A call of `put`."""
    return {"name": "put", "arguments": arguments}


def started(env: Shelf) -> Shelf:
    """After its reset."""
    env.reset(seed=0)
    return env


def test_a_method_becomes_a_schema() -> None:
    assert list(Shelf.tools()) == ["put", "answer", "fall"]
    assert Shelf.tools()["put"].schema == {
        "type": "function",
        "function": {
            "name": "put",
            "description": "Put things on the shelf.",
            "parameters": {
                "type": "object",
                "properties": {
                    "what": {
                        "type": "string", "title": "What", "description": "their name, in words.",
                    },
                    "count": {"type": "integer", "title": "Count", "description": "how many."},
                    "side": {"type": "string", "title": "Side", "enum": ["left", "right"]},
                },
                "required": ["what"],
                "additionalProperties": False,
            },
        },
    }  # fmt: skip


def test_the_prompt_holds_every_schema_and_the_form_of_a_call() -> None:
    for env in (Shelf(), PlainShelf()):
        assert env.system_prompt.startswith("Count.\n\nTools")
        lines = env.system_prompt.partition("<tools>\n")[2].partition("\n</tools>")[0].split("\n")
        assert [json.loads(line)["name"] for line in lines] == ["put", "answer", "fall"]
    assert "<tool_call>" in Shelf().system_prompt
    assert "NAME TEXT" in PlainShelf().system_prompt


def test_calls_of_one_turn_are_made_in_order() -> None:
    env = started(Shelf())
    text = "<think>" + said(put(what="no")) + "</think>Well."
    text += said(put(what="cup"), put(what="box", count=2, side="right"))
    assert env.parse(text).action == (
        'put {"what": "cup"}\nput {"count": 2, "side": "right", "what": "box"}'
    )
    observation, reward, over, _, _ = env.step(text)
    assert observation.text == (
        "<tool_response>\n1 on the shelf\n</tool_response>\n"
        "<tool_response>\n3 on the shelf\n</tool_response>"
    )
    assert (reward, over) == (0.0, False)


def test_no_call_is_made_after_the_one_that_ends_the_episode() -> None:
    env = started(Shelf())
    end = {"name": "answer", "arguments": {"text": "1"}}
    observation, reward, over, _, _ = env.step(said(put(what="cup"), end, put(what="box")))
    assert (reward, over, len(env.shelf)) == (1.0, True, 1)
    assert observation.text.count("<tool_response>") == 2
    with pytest.raises(UsageError, match="the episode is over"):
        env.step(said(end))


BAD = {
    "Hello.": "no call",
    said({"name": "putt", "arguments": {}}): "unknown tool 'putt'; did you mean 'put'?",
    said(put()): "put: what: Field required",
    said(put(what="cup", color="red")): "put: color: Extra inputs are not permitted",
    said(put(what="cup", count="many")): "put: count: Input should be a valid integer",
    said(put(what="cup", side="top")): "put: side: Input should be 'left' or 'right'",
    said({"name": "put", "arguments": ["cup"]}): "put: Input should be a valid dictionary",
    said({"name": "reset", "arguments": {}}): "unknown tool 'reset'",
    said({"name": "__init__", "arguments": {}}): "unknown tool '__init__'",
    said(["put"]): "a call must be",
    said({"name": 3}): "a call must be",
    "<tool_call>{'name': 'put'}</tool_call>": "a call that is no JSON",
    '<tool_call>{"name": "put", "arguments": {"what": "x", "count": NaN}}</tool_call>': "NaN",
    f"<tool_call>{'[' * 100_000}</tool_call>": "a call that is no JSON",
    '<tool_call>{"name": "put"': "a call without its </tool_call>",
    said(*[put(what="cup")] * 9): "9 calls in one turn; at most 8",
}


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_bad_call_is_told_to_the_model(text: str) -> None:
    env = started(Shelf())
    assert BAD[text] in (env.parse(text).invalid or "")
    observation, reward, over, _, _ = env.step(text)
    assert BAD[text] in observation.text
    assert (reward, over, env.shelf) == (0.0, False, [])


def test_a_good_call_beside_a_bad_one_is_made() -> None:
    env = started(Shelf())
    text = said({"name": "drop"}, put(what="cup"))
    assert (env.parse(text).action or "").splitlines()[1] == 'put {"what": "cup"}'
    lines = env.step(text)[0].text.splitlines()
    assert lines[1].startswith("error: unknown tool 'drop'") and lines[4] == "1 on the shelf"


def test_plain_calls_are_a_name_and_its_arguments() -> None:
    env = started(PlainShelf())
    assert env.step('<think>put x</think> put {"what": "cup", "count": 2}')[0].text.startswith("2 ")
    assert env.parse("answer two of\nthem").action == 'answer {"text": "two of\\nthem"}'
    assert "that are no JSON" in (env.parse("put cup").invalid or "")
    assert "unknown tool 'Hello'" in (env.parse("Hello").invalid or "")
    assert env.parse("<think>x</think>").invalid == "no call"
    assert env.step("answer 2")[1:3] == (1.0, True)


def test_a_tool_that_raises_is_our_error() -> None:
    with pytest.raises(RuntimeError, match="the shelf broke"):
        started(PlainShelf()).step("fall")


@pytest.mark.parametrize("env", ["tool_env:Shelf", "tool_env:PlainShelf"])
def test_a_tool_env_keeps_the_contract(env: str) -> None:
    assert [check.name for check in check_env(env) if not check.ok] == []


PIECES = st.sampled_from(["<tool_call>", "</tool_call>", '{"name": ', "[", "put ", "</think>"])
ENVS = (Shelf(), PlainShelf())


@settings(max_examples=50)
@given(st.text() | st.lists(PIECES).map("".join))
def test_every_text_is_an_action(text: str) -> None:
    for env in ENVS:
        parsed = started(env).parse(text)
        observation, reward, over, _, _ = env.step(text)
        assert observation.text
        assert parsed.action is not None or (reward, over) == (0.0, False)


def test_a_megabyte_of_any_mark_is_read_within_two_seconds() -> None:
    env = started(Shelf())
    for piece in ("<tool_call>", "</tool_call>", "<think>", "{", "\n "):
        began = time.perf_counter()
        env.parse(piece * (1_000_000 // len(piece)))
        assert time.perf_counter() - began < 2.0


def test_a_tool_that_says_too_little_is_refused() -> None:
    class Silent(ToolEnv):
        @tool
        def go(self, where: str) -> str:
            return where

    with pytest.raises(UsageError, match="tool 'go' has no docstring"):
        Silent()

    class Untyped(ToolEnv):
        @tool
        def go(self, where) -> str:  # type: ignore[no-untyped-def]
            """Go."""
            return str(where)

    with pytest.raises(UsageError, match="parameter 'where' of tool 'go' has no type"):
        Untyped()

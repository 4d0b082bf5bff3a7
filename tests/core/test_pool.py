"""The inline pool, and what every seat promises whatever pool it comes from."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import pytest
from faulty_env import task

from agentgym.env import env_class
from agentgym.errors import AgentGymError, EnvError, ScoreError, UsageError
from agentgym.pool import InlinePool, Pool, ProcessPool, Seat
from agentgym.types import Observation, Outcome, Reply, Task

FAULTY = "faulty_env:FaultyEnv"
FINE = task("", "")
POOLS = ("inline", "process")

T = TypeVar("T")


def make_pool(kind: str, env_id: str, *, max_turns: int | None = None) -> Pool:
    """One of both pools."""
    if kind == "inline":
        return InlinePool(env_id, max_turns=max_turns)
    return ProcessPool(env_id, num_workers=1, max_turns=max_turns)


async def play(pool: Pool, chosen: Task, actions: list[str]) -> list[Any]:
    """Every answer of one episode."""
    async with pool.seat() as seat:
        first = await seat.reset(chosen, seed=chosen.seed)
        replies = [await seat.step(action) for action in actions]
        return [seat.system_prompt, first, *replies, await seat.outcome()]


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never suspends; needs no event loop."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise AssertionError("it suspended")


def test_both_pools_give_the_same_episode() -> None:
    chosen = env_class("agentgym/Corridor-v0").panel("gen1/train").tasks[0]
    actions = ["east", "nonsense", "west", "take red key", "\ud800", "take blue key"]

    async def both() -> list[list[Any]]:
        told = []
        for kind in POOLS:
            async with make_pool(kind, "agentgym/Corridor-v0") as pool:
                told.append(await play(pool, chosen, actions))
        return told

    inline, process = asyncio.run(both())
    assert inline == process
    prompt, first, *replies, outcome = inline
    assert prompt == env_class("agentgym/Corridor-v0").system_prompt
    assert isinstance(first, Observation)
    assert [reply.parsed.action for reply in replies] == [
        "east", None, "west", "take red key", None, "take blue key",
    ]  # fmt: skip
    assert all(isinstance(reply, Reply) for reply in replies)
    assert outcome == Outcome(score=0.0, success=False)


def test_the_inline_pool_never_suspends() -> None:
    pool = InlinePool(FAULTY)
    told = finish(play(pool, FINE, ["a", "b"]))
    assert [reply.observation.text for reply in told[2:4]] == ["a", "b"]
    assert finish(pool.close()) == ()


@pytest.mark.parametrize("kind", POOLS)
def test_the_action_is_parsed_before_the_step(kind: str) -> None:
    chosen = env_class("agentgym/Corridor-v0").panel("gen1/train").get("11")  # starts in room 1

    async def first_step() -> Reply:
        async with make_pool(kind, "agentgym/Corridor-v0") as pool, pool.seat() as seat:
            await seat.reset(chosen, seed=0)
            return await seat.step(" east ")

    reply = asyncio.run(first_step())
    assert reply.parsed.action == "east"
    assert reply.observation.text.startswith("You are in room 2.")


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("max_turns", [2, 40])
def test_the_turn_limit_truncates(kind: str, max_turns: int) -> None:
    """40 is more than the 30 that an unregistered class gets: the limit can be raised too."""

    async def flags() -> list[bool]:
        async with make_pool(kind, FAULTY, max_turns=max_turns) as pool, pool.seat() as seat:
            await seat.reset(FINE, seed=0)
            return [(await seat.step("on")).truncated for _ in range(max_turns)]

    assert asyncio.run(flags()) == [False] * (max_turns - 1) + [True]


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("actions", [[], ["end"]])
def test_a_step_outside_an_episode_is_refused(kind: str, actions: list[str]) -> None:
    async def overstep() -> None:
        async with make_pool(kind, FAULTY) as pool, pool.seat() as seat:
            if actions:
                await seat.reset(FINE, seed=0)
            for action in actions:
                await seat.step(action)
            await seat.step("one more")

    with pytest.raises(UsageError, match="over or was never begun"):
        asyncio.run(overstep())


@pytest.mark.parametrize("kind", POOLS)
def test_a_closed_pool_gives_no_seat(kind: str) -> None:
    async def late() -> None:
        pool = make_pool(kind, FAULTY)
        assert await pool.close() == ()
        async with pool.seat():
            pass

    with pytest.raises(UsageError, match="pool is closed"):
        asyncio.run(late())


@pytest.mark.parametrize("phase", ["reset", "step", "outcome"])
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("raise big", "RuntimeError: xxx"),
        ("raise unprintable", "Unprintable: .its text raised RuntimeError"),
        ("raise SystemExit", "SystemExit: 5"),
        ("wrong type", "not int"),
    ],
)
def test_inline_faults_are_typed_and_short(phase: str, fault: str, said: str) -> None:
    expected = ScoreError if phase == "outcome" else EnvError
    with pytest.raises(EnvError, match=f"{phase}.*{said}") as caught:
        finish(play(InlinePool(FAULTY), task(phase, fault), ["go"]))
    assert type(caught.value) is expected
    assert len(str(caught.value)) < 2100


def test_an_inline_environment_that_failed_is_not_used_again() -> None:
    async def seats(pool: Pool, *, fault: str) -> Seat:
        async with pool.seat() as seat:
            with suppress(AgentGymError):
                await seat.reset(task("reset", fault) if fault else FINE, seed=0)
        return seat

    pool = InlinePool(FAULTY)
    first = finish(seats(pool, fault=""))
    assert finish(seats(pool, fault="raise big")) is first
    assert finish(seats(pool, fault="")) is not first


def test_ctrl_c_in_an_inline_environment_is_the_users() -> None:
    with pytest.raises(KeyboardInterrupt):
        finish(play(InlinePool(FAULTY), task("reset", "raise KeyboardInterrupt"), []))


def test_errors_of_closing_are_given_back() -> None:
    pool = InlinePool(FAULTY)
    finish(play(pool, task("close", "raise big"), ["go"]))
    (error,) = finish(pool.close())
    assert isinstance(error, EnvError)
    assert str(error).startswith("close: RuntimeError: xxx")


def test_a_class_of_another_kind_is_refused() -> None:
    with pytest.raises(EnvError, match="must be TurnEnv, not CartPoleEnv"):
        finish(play(InlinePool("CartPole-v1"), FINE, []))


def test_an_unknown_environment_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="did you mean 'agentgym/Corridor-v0'"):
        InlinePool("agentgym/Coridor-v0")

"""play: one episode. The only place where an engine meets an environment.

Nothing here calls an environment: it awaits a seat. A failure of ours ends the episode it
happened in, is recorded there by type and phase, and never becomes a reward.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

from agentgym.engine import Engine, Generation, Request, Sampler
from agentgym.errors import AgentGymError, ContextError, EngineError, boundary, describe
from agentgym.meter import Meter
from agentgym.pool import Pool, Seat
from agentgym.render import Conversation, Prompt, Renderer
from agentgym.types import (
    Episode,
    EpisodeId,
    ErrorInfo,
    Group,
    Observation,
    Outcome,
    Reply,
    Status,
    Task,
    Turn,
)

ENVIRONMENT = "environment"
"""The phase of a rollout in which it waits for environments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A model behind an engine, how it reads observations, and how long it may speak."""

    engine: Engine
    renderer: Renderer
    context: int
    """The longest sequence in tokens; an episode that needs more is truncated."""
    max_turn_tokens: int
    sampler: Sampler = Sampler()
    policy_version: int = 0
    max_seconds: float | None = None
    """An episode is truncated after the turn in which it outlives this; None: never."""
    meter: Meter = field(default_factory=Meter)
    """What to measure with; what is no environment's and no engine's counts as rendering."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Which episode to play."""

    id: EpisodeId
    task: Task
    panel_hash: str
    env: str
    seed: int
    """The run's seed; noise follows from it, the id, the task and the turn."""


def derive_seed(*parts: int | str) -> int:
    """63 bits that depend on the parts alone: seeds by counter, never by history."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


@dataclass(slots=True)
class _Play:
    """What an episode has so far."""

    first: Observation | None = None
    turns: tuple[Turn, ...] = ()
    end: Status | None = None
    outcome: Outcome | None = None
    error: ErrorInfo | None = None
    said: str | None = None
    """What the environment is answering."""


async def play(seat: Seat, agent: Agent, start: Start) -> Episode:
    """Play one episode to its end; every failure is part of the result.

    Returns:
        The episode. `status` is `infra_error` when the environment, its worker or the engine
        failed, and `score_error` when only grading did; both have no score.
    """
    episode = _Play()
    phase = "reset"
    try:
        conversation = agent.renderer.start(seat.system_prompt)
        with agent.meter.awaiting(ENVIRONMENT):
            episode.first = await seat.reset(start.task, seed=start.task.seed)
        phase = "turns"
        await _take_turns(episode, seat, agent, start=start, conversation=conversation)
    except AgentGymError as error:
        episode.end = Status.INFRA_ERROR
        episode.error = describe(error, phase, action=episode.said)
    finally:
        agent.engine.release(start.id)
    if episode.end is not Status.INFRA_ERROR:
        with agent.meter.awaiting(ENVIRONMENT):
            await _grade(episode, seat)
    return _record(episode, agent, start, system_prompt=seat.system_prompt)


async def _take_turns(
    episode: _Play, seat: Seat, agent: Agent, *, start: Start, conversation: Conversation
) -> None:
    """Turns until the environment or a limit ends the episode; sets `episode.end`."""
    began = time.monotonic()
    assert episode.first is not None
    observation = episode.first
    while episode.end is None:
        turn_began = time.monotonic()
        with boundary(EngineError, "render"), agent.meter.phase("render"):
            prompt = conversation.observe(observation)
        room = agent.context - len(prompt.ids)
        if room < 1:
            _check_first(episode, prompt, agent, start=start)
            episode.end = Status.TRUNCATED_TOKENS
            return
        turn = len(episode.turns)
        generation = await _generate(agent, start, prompt=prompt, turn=turn, room=room)
        with boundary(EngineError, "decode"), agent.meter.phase("render"):
            text = conversation.act(generation.ids)
        episode.said = text
        with agent.meter.awaiting(ENVIRONMENT):
            reply = await seat.step(text)
        episode.said = None
        observation = reply.observation
        with agent.meter.phase("render"):
            episode.turns += (
                Turn(
                    segment=prompt.segment,
                    prompt_ids=prompt.new_ids,
                    action_ids=generation.ids,
                    logprobs=generation.logprobs,
                    finish=generation.finish,
                    text=text,
                    action=reply.parsed.action,
                    invalid=reply.parsed.invalid,
                    observation=observation,
                    reward=reply.reward,
                    temperature=agent.sampler.temperature,
                    kept=generation.kept,
                    seconds=time.monotonic() - turn_began,
                ),
            )
        episode.end = _find_end(reply, agent, began=began)


def _check_first(episode: _Play, prompt: Prompt, agent: Agent, *, start: Start) -> None:
    """No episode ends before its first turn for want of room."""
    if not episode.turns:
        raise ContextError(
            f"the first prompt of task '{start.task.id}' has {len(prompt.ids)} tokens, "
            f"the context holds {agent.context}"
        )


async def _generate(
    agent: Agent, start: Start, *, prompt: Prompt, turn: int, room: int
) -> Generation:
    where = start.id
    with agent.meter.phase("render"):
        # The group is part of it: a step may draw one task twice, and not for twice the same.
        seed = derive_seed(start.seed, where.step, where.group, start.task.id, where.member, turn)
        request = Request(
            episode=where,
            turn=turn,
            ids=prompt.ids,
            messages=prompt.messages,
            images=prompt.images,
            seed=seed,
            max_tokens=min(agent.max_turn_tokens, room),
            sampler=agent.sampler,
        )
    with boundary(EngineError, "generate"):
        generation = await agent.engine.generate(request)
    if len(generation.ids) != len(generation.logprobs):
        raise EngineError(
            f"generate: {len(generation.ids)} ids but {len(generation.logprobs)} logprobs"
        )
    return generation


def _find_end(reply: Reply, agent: Agent, *, began: float) -> Status | None:
    """The provisional end; grading turns FAILURE into SUCCESS where the outcome says so."""
    if reply.terminated:
        return Status.FAILURE
    if reply.truncated:
        return Status.TRUNCATED_TURNS
    if agent.max_seconds is not None and time.monotonic() - began > agent.max_seconds:
        return Status.TRUNCATED_TIME
    return None


async def _grade(episode: _Play, seat: Seat) -> None:
    try:
        outcome = await seat.outcome()
    except AgentGymError as error:
        episode.end = Status.SCORE_ERROR
        episode.error = describe(error, "outcome")
        return
    episode.outcome = outcome
    if outcome.success:
        episode.end = Status.SUCCESS


def _record(episode: _Play, agent: Agent, start: Start, *, system_prompt: str) -> Episode:
    assert episode.end is not None
    return Episode(
        id=start.id,
        task_id=start.task.id,
        panel_hash=start.panel_hash,
        env=start.env,
        seed=start.seed,
        system_prompt=system_prompt,
        first=episode.first,
        turns=episode.turns,
        status=episode.end,
        score=episode.outcome.score if episode.outcome else None,
        success=episode.outcome.success if episode.outcome else None,
        facts=episode.outcome.facts if episode.outcome else {},
        policy_version=agent.policy_version,
        error=episode.error,
    )


async def play_group(pool: Pool, agent: Agent, start: Start, *, size: int) -> Group:
    """`size` episodes of one task, at once; `start` names the first member."""

    async def member(index: int) -> Episode:
        own = replace(start, id=replace(start.id, member=index))
        try:
            async with AsyncExitStack() as held:
                with agent.meter.awaiting(ENVIRONMENT):
                    seat = await held.enter_async_context(pool.seat())
                return await play(seat, agent, own)
        except AgentGymError as error:
            lost = _Play(end=Status.INFRA_ERROR, error=describe(error, "boot"))
            return _record(lost, agent, own, system_prompt="")

    episodes = await asyncio.gather(*(member(index) for index in range(size)))
    return Group(task_id=start.task.id, episodes=tuple(episodes))


async def play_groups(
    pool: Pool, agent: Agent, starts: Sequence[Start], *, size: int
) -> tuple[Group, ...]:
    """One group per start, all at once, in the order of `starts`."""
    return tuple(
        await asyncio.gather(*(play_group(pool, agent, start, size=size) for start in starts))
    )

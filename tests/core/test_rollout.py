"""play: exact tokens, and what each kind of failure makes of an episode."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from faulty_env import RaisesAtBoot, task
from hypothesis import given, settings
from hypothesis import strategies as st
from saying_env import saying

from agentgym.engine import Generation, Request
from agentgym.env import env_class
from agentgym.envs.toys.box import Box
from agentgym.envs.toys.corridor import Corridor
from agentgym.envs.toys.lookup import Lookup
from agentgym.pool import InlinePool, Pool, ProcessPool
from agentgym.render import ByteTemplate, Renderer
from agentgym.rollout import Agent, Start, play_group, play_groups
from agentgym.trainers.engines.scripted import Said, ScriptedEngine
from agentgym.types import Episode, EpisodeId, Group, Status, Task
from agentgym.worker import Deadlines

USER, ASSISTANT, END = 256, 257, 258
CORRIDOR, LOOKUP, BOX = "agentgym/Corridor-v0", "agentgym/Lookup-v0", "agentgym/Box-v0"
FAULTY = "faulty_env:FaultyEnv"
NEAR = Task(id="near", split="test", seed=5, public={"rooms": (1, 1, 2)})
"""In Corridor: the keys are here, the door is one room to the east."""
WIN = ("take blue key", "take red key", "east", "open door")


def ended(text: str) -> tuple[int, ...]:
    """An action's bytes and the end token."""
    return (*text.encode("utf-8", "surrogatepass"), END)


def agent_of(
    script: Any, *, context: int = 4000, history: int | None = None, max_turn_tokens: int = 50
) -> Agent:
    """A scripted agent that reads and writes bytes."""
    return Agent(
        engine=ScriptedEngine(script, encode=ended),
        renderer=Renderer(ByteTemplate(), history=history),
        context=context,
        max_turn_tokens=max_turn_tokens,
    )


def start_of(chosen: Task, env_id: str, *, group: int = 0, step: int = 0) -> Start:
    return Start(
        id=EpisodeId(step=step, group=group, member=0),
        task=chosen,
        panel_hash="hash",
        env=env_id,
        seed=11,
    )


def play_inline(
    agent: Agent, chosen: Task, env_id: str, *, size: int = 1, max_turns: int | None = None
) -> Group:
    """A group in this process."""
    pool = InlinePool(env_id, max_turns=max_turns)
    return asyncio.run(play_group(pool, agent, start_of(chosen, env_id), size=size))


def timeless(episode: Episode) -> Episode:
    """The episode without its seconds."""
    return replace(episode, turns=tuple(replace(turn, seconds=0.0) for turn in episode.turns))


class Listening:
    """A script that says the next line of a list, and keeps every request."""

    def __init__(self, lines: Iterable[Said]) -> None:
        self.lines = tuple(lines)
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Said:
        self.requests.append(request)
        return self.lines[request.turn % len(self.lines)]


def test_an_episode_holds_exactly_the_tokens_the_model_saw_and_made() -> None:
    script = Listening(WIN)
    (episode,) = play_inline(agent_of(script), NEAR, CORRIDOR).episodes
    env: Any = Corridor()
    texts = [env.reset(options={"task": NEAR})[0].text]
    texts += [env.step(action)[0].text for action in WIN]
    first = (
        USER, *Corridor.system_prompt.encode(), END, USER, *texts[0].encode(), END, ASSISTANT,
    )  # fmt: skip
    later = [(USER, *text.encode(), END, ASSISTANT) for text in texts[1:-1]]
    assert [turn.prompt_ids for turn in episode.turns] == [first, *later]
    assert [turn.action_ids for turn in episode.turns] == [ended(action) for action in WIN]
    assert [turn.text for turn in episode.turns] == list(WIN)
    assert [turn.action for turn in episode.turns] == list(WIN)
    assert [turn.segment for turn in episode.turns] == [0, 0, 0, 0]
    assert [turn.reward for turn in episode.turns] == [0.0, 0.0, 0.0, 1.0]
    assert [turn.observation.text for turn in episode.turns] == texts[1:]
    assert episode.first is not None
    assert episode.first.text == texts[0]
    assert (episode.status, episode.score, episode.success) == (Status.SUCCESS, 1.0, True)
    assert (episode.task_id, episode.env, episode.seed, episode.error) == (
        "near", CORRIDOR, 11, None,
    )  # fmt: skip
    seen: tuple[int, ...] = ()
    for turn, request in zip(episode.turns, script.requests, strict=True):
        seen += turn.prompt_ids
        assert request.ids == seen
        seen += turn.action_ids


def test_a_window_of_history_begins_a_segment_each_turn_and_keeps_what_was_seen() -> None:
    script = Listening(("west", "fly", *WIN))
    (episode,) = play_inline(agent_of(script, history=1), NEAR, CORRIDOR).episodes
    segments = [turn.segment for turn in episode.turns]
    assert segments == [0, 0, *range(1, 11)]
    seen: dict[int, tuple[int, ...]] = {}
    for turn, request in zip(episode.turns, script.requests, strict=True):
        seen[turn.segment] = seen.get(turn.segment, ()) + turn.prompt_ids
        assert request.ids == seen[turn.segment]
        seen[turn.segment] += turn.action_ids


def test_an_action_without_its_end_token_is_closed_by_an_unsampled_one() -> None:
    cut = Generation(ids=tuple(b"eas"), logprobs=(-1.0, -2.0, -3.0), finish="length")
    (episode,) = play_inline(agent_of(Listening([cut, *WIN])), NEAR, CORRIDOR).episodes
    first, second = episode.turns[:2]
    assert (first.finish, first.text, first.action) == ("length", "eas", None)
    assert first.logprobs == (-1.0, -2.0, -3.0)
    assert first.invalid == "not offered"
    assert second.prompt_ids[:2] == (END, USER)


def test_each_request_gets_the_room_that_is_left_until_there_is_none() -> None:
    probe = Listening(["west"])
    play_inline(agent_of(probe), NEAR, CORRIDOR)
    context = len(probe.requests[0].ids) + 100
    script = Listening(["west"])
    (episode,) = play_inline(agent_of(script, context=context), NEAR, CORRIDOR).episodes
    rooms = [context - len(request.ids) for request in script.requests]
    assert rooms[0] == 100
    assert 0 < rooms[-1] < 50
    assert [request.max_tokens for request in script.requests] == [min(50, r) for r in rooms]
    assert episode.status is Status.TRUNCATED_TOKENS
    assert (episode.score, episode.success, episode.error) == (0.0, False, None)


def test_a_first_prompt_beyond_the_context_is_a_typed_error_and_no_reward() -> None:
    (episode,) = play_inline(agent_of(Listening(WIN), context=100), NEAR, CORRIDOR).episodes
    assert (episode.status, episode.score, episode.turns) == (Status.INFRA_ERROR, None, ())
    assert episode.error is not None
    assert (episode.error.type, episode.error.phase) == ("ContextError", "turns")
    assert "task 'near'" in episode.error.message
    assert not episode.valid


@pytest.mark.parametrize(
    ("lines", "max_turns", "status", "score"),
    [
        (("west", "east"), 3, Status.TRUNCATED_TURNS, 0.0),
        (WIN, 4, Status.SUCCESS, 1.0),
        (WIN, 3, Status.TRUNCATED_TURNS, 0.0),
    ],
)
def test_the_turn_limit_truncates_and_the_score_still_counts(
    lines: tuple[str, ...], max_turns: int, status: Status, score: float
) -> None:
    group = play_inline(agent_of(Listening(lines)), NEAR, CORRIDOR, max_turns=max_turns)
    (episode,) = group.episodes
    assert (episode.status, episode.score, len(episode.turns)) == (status, score, max_turns)
    assert episode.valid


def test_an_episode_past_its_time_is_truncated_after_the_turn_under_way() -> None:
    agent = replace(agent_of(Listening(["west"])), max_seconds=0.0)
    play = play_group(InlinePool(CORRIDOR), agent, start_of(NEAR, CORRIDOR), size=1)
    (episode,) = asyncio.run(play).episodes
    assert (episode.status, len(episode.turns), episode.score) == (Status.TRUNCATED_TIME, 1, 0.0)


ERRORS: dict[str, tuple[Status, str, str, str]] = {
    "hang": (Status.INFRA_ERROR, "DeadlineError", "turns", "step took longer than 1 s"),
    "crash": (Status.INFRA_ERROR, "WorkerError", "turns", "died in step"),
    "raise": (Status.INFRA_ERROR, "EnvError", "turns", "step: RuntimeError: boom"),
    "wrong type": (Status.INFRA_ERROR, "EnvError", "turns", "step must return"),
    "(silence)": (Status.INFRA_ERROR, "EngineError", "turns", "the script has no turn 1"),
    "fail to score": (Status.SCORE_ERROR, "ScoreError", "outcome", "SandboxError"),
}


def test_each_kind_of_failure_costs_its_own_episode_and_leaves_the_siblings_as_they_were() -> None:
    """One group of nine in worker processes: six go wrong, each in its way, three are sound."""
    chosen = Box.panel("gen1/train").tasks[0]
    sound = ["run cat note", f"submit {chosen.id}"]
    faults = [["run cat note", fault] for fault in ERRORS if fault != "(silence)"]
    scripts = [sound, *faults, ["run cat note"], sound, sound]
    script = {(0, member): lines for member, lines in enumerate(scripts)}
    pool = ProcessPool(BOX, num_workers=3, deadlines=Deadlines(step_s=1))

    async def played() -> Group:
        async with pool:
            return await play_group(pool, agent_of(script), start_of(chosen, BOX), size=9)

    group = asyncio.run(played())
    by_fault = {
        scripts[episode.id.member][-1] if len(scripts[episode.id.member]) > 1 else "(silence)": (
            episode
        )
        for episode in group.episodes
        if episode.error is not None
    }
    assert by_fault.keys() == ERRORS.keys()
    for fault, (status, kind, phase, said) in ERRORS.items():
        episode = by_fault[fault]
        assert (episode.status, episode.score, episode.success) == (status, None, None), fault
        assert episode.error is not None
        assert (episode.error.type, episode.error.phase) == (kind, phase), fault
        assert said in episode.error.message
        assert len(episode.error.message) < 2100
        assert len(episode.turns) == (2 if fault == "fail to score" else 1)
    alone = play_inline(agent_of({(0, 0): sound}), chosen, BOX).episodes[0]
    siblings = [timeless(replace(e, id=alone.id)) for e in group.valid]
    assert siblings == [timeless(alone)] * 3


PHASES = [
    ("reset", Status.INFRA_ERROR, ("EnvError", "reset")),
    ("step", Status.INFRA_ERROR, ("EnvError", "turns")),
    ("outcome", Status.SCORE_ERROR, ("ScoreError", "outcome")),
]


@pytest.mark.parametrize(("phase", "status", "recorded"), PHASES)
@pytest.mark.parametrize("fault", ["raise big", "raise unprintable", "wrong type"])
def test_failures_of_an_inline_environment_are_recorded_by_phase(
    fault: str, phase: str, status: Status, recorded: tuple[str, str]
) -> None:
    (episode,) = play_inline(agent_of(Listening(["end"])), task(phase, fault), FAULTY).episodes
    assert (episode.status, episode.score) == (status, None)
    assert episode.error is not None
    assert (episode.error.type, episode.error.phase) == recorded
    assert (episode.first is None) == (phase == "reset")


@pytest.mark.parametrize("pool_class", [InlinePool, partial(ProcessPool, num_workers=1)])
def test_what_a_person_needs_to_see_a_failure_again_is_recorded(pool_class: Any) -> None:
    async def played(chosen: Task) -> Episode:
        async with pool_class(FAULTY) as pool:
            agent, start = agent_of(Listening(["hello", "end"])), start_of(chosen, FAULTY)
            return (await play_group(pool, agent, start, size=1)).episodes[0]

    errors = {}
    for phase in ("reset", "step", "outcome"):
        error = asyncio.run(played(task(phase, "raise big"))).error
        assert error is not None
        lines = error.trace.splitlines()
        assert "faulty_env.py" in lines[-2]
        assert lines[-1] == "    raise RuntimeError(BIG)"
        assert len(error.trace) < 2100
        errors[phase] = error.action
    assert errors == {"reset": None, "step": "hello", "outcome": None}
    wrong = asyncio.run(played(task("step", "wrong type"))).error
    assert wrong is not None
    assert (wrong.action, wrong.trace) == ("hello", "")


def test_an_environment_that_cannot_be_made_costs_its_episodes_and_not_the_run() -> None:
    group = play_inline(
        agent_of(Listening(["end"])), task("", ""), f"faulty_env:{RaisesAtBoot.__name__}", size=2
    )
    assert group.valid == ()
    for episode in group.episodes:
        assert episode.error is not None
        assert (episode.error.type, episode.error.phase) == ("EnvError", "boot")
        assert (episode.first, episode.turns) == (None, ())


def broken_engine(request: Request) -> Said:
    raise ZeroDivisionError("by zero")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (broken_engine, "generate: ZeroDivisionError: by zero"),
        (
            Listening([Generation(ids=(65, 66), logprobs=(0.0,), finish="stop")]),
            "generate: 2 ids but 1 logprobs",
        ),
        (Listening([Generation(ids=(9999,), logprobs=(0.0,), finish="stop")]), "decode: "),
    ],
)
def test_whatever_an_engine_does_wrong_is_an_engine_error(
    script: Callable[[Request], Said], said: str
) -> None:
    (episode,) = play_inline(agent_of(script), NEAR, CORRIDOR).episodes
    assert (episode.status, episode.score) == (Status.INFRA_ERROR, None)
    assert episode.error is not None
    assert episode.error.type == "EngineError"
    assert episode.error.message.startswith(said)


class StrictTemplate(ByteTemplate):
    """Refuses what UTF-8 cannot hold, as real tokenizers do."""

    def encode(self, text: str) -> list[int]:
        text.encode()
        return super().encode(text)


def test_lone_surrogates_in_an_observation_are_read_as_question_marks() -> None:
    engine = Listening(["go"])
    agent = replace(agent_of(engine), renderer=Renderer(StrictTemplate()))
    (episode,) = play_inline(agent, saying("a\ud800b"), "saying_env:Saying").episodes
    assert episode.status.trainable
    assert any("a?b" in StrictTemplate().decode(turn.prompt_ids) for turn in episode.turns)


class Counting(ScriptedEngine):
    """Keeps whom it was asked to forget."""

    def __init__(self, script: Any) -> None:
        super().__init__(script, encode=ended)
        self.released: list[EpisodeId] = []

    def release(self, episode: EpisodeId) -> None:
        self.released.append(episode)


def test_the_engine_may_forget_every_episode_once_however_it_ended() -> None:
    engine = Counting({(0, 0): WIN, (0, 1): ["west"], (0, 2): []})
    agent = replace(agent_of({}), engine=engine)
    play_inline(agent, NEAR, CORRIDOR, size=3)
    assert sorted(engine.released) == [EpisodeId(step=0, group=0, member=m) for m in range(3)]


def seeds_of(lines: Iterable[str], starts: list[Start], *, size: int) -> dict[Any, int]:
    """The seed of every request, by episode and turn."""
    script = Listening(lines)
    play = play_groups(InlinePool(CORRIDOR), agent_of(script), starts, size=size)
    asyncio.run(play)
    return {(request.episode, request.turn): request.seed for request in script.requests}


def test_noise_is_seeded_by_counters_alone() -> None:
    tasks = Corridor.panel("gen1/train").tasks[:2]
    starts = [start_of(chosen, CORRIDOR, group=i) for i, chosen in enumerate(tasks)]
    seeds = seeds_of(["west"], starts, size=3)
    assert len(seeds) == 2 * 3 * 12
    assert len(set(seeds.values())) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds.values())
    other_history = seeds_of(["fly", "east", "dance"], starts, size=3)
    assert {where: other_history[where] for where in seeds.keys() & other_history.keys()} == {
        where: seeds[where] for where in seeds.keys() & other_history.keys()
    }
    alone = seeds_of(["west"], starts[1:], size=1)
    assert alone.items() <= seeds.items()
    next_step = [replace(s, id=replace(s.id, step=1)) for s in starts]
    assert set(seeds_of(["west"], next_step, size=3).values()).isdisjoint(seeds.values())


def test_one_task_drawn_twice_in_a_step_is_played_with_different_noise() -> None:
    starts = [start_of(NEAR, CORRIDOR, group=group) for group in range(2)]
    seeds = seeds_of(["west"], starts, size=1)
    assert len(set(seeds.values())) == len(seeds)


def test_groups_and_members_come_in_order() -> None:
    tasks = Corridor.panel("gen1/train").tasks[:3]
    starts = [start_of(chosen, CORRIDOR, group=i, step=4) for i, chosen in enumerate(tasks)]
    play = play_groups(InlinePool(CORRIDOR), agent_of(Listening(WIN)), starts, size=2)
    groups = asyncio.run(play)
    assert [group.task_id for group in groups] == [chosen.id for chosen in tasks]
    assert [str(e.id) for group in groups for e in group.episodes] == [
        f"step=4/group={g}/member={m}" for g in range(3) for m in range(2)
    ]


CANARIES = ("CANARY-ANSWER", "CANARY-PLAN", "CANARY-NOTE")


@pytest.mark.parametrize("pool_kind", ["inline", "process"])
def test_no_secret_of_a_task_reaches_a_prompt_or_a_record(pool_kind: str) -> None:
    found = Lookup.panel("gen1/train").tasks[0]
    answer, plan, note = CANARIES
    secret = {"answers": [answer], "plan": [f"lookup[{plan}]"], "note": note}
    chosen = replace(found, secret=secret)
    said = ["lookup[Ada]", "No idea.", "", "\x00", "lookup[answers]", "answer[Rome]"]
    script = Listening(said)
    pool: Pool = InlinePool(LOOKUP) if pool_kind == "inline" else ProcessPool(LOOKUP, num_workers=1)

    async def played() -> Group:
        async with pool:
            return await play_group(pool, agent_of(script), start_of(chosen, LOOKUP), size=1)

    group = asyncio.run(played())
    (episode,) = group.episodes
    assert (episode.status, episode.score, episode.success) == (Status.FAILURE, 0.0, False)
    prompts = [ByteTemplate().decode(request.ids) for request in script.requests]
    shown = [message.content for request in script.requests for message in request.messages]
    for text in [*prompts, *shown, repr(group)]:
        assert not any(canary in text for canary in CANARIES)
    # The canaries are where the environment looks: the right answer is one of them.
    right = play_inline(agent_of(Listening([f"answer[{answer}]"])), chosen, LOOKUP)
    assert right.episodes[0].success


@settings(max_examples=60)
@given(said=st.lists(st.text(st.characters(), max_size=30), min_size=1, max_size=6))
@pytest.mark.parametrize("env_id", [CORRIDOR, LOOKUP, BOX])
def test_any_text_is_a_legal_action(env_id: str, said: list[str]) -> None:
    chosen = env_class(env_id).panel("gen1/train").tasks[0]
    (episode,) = play_inline(agent_of(Listening(said)), chosen, env_id).episodes
    assert episode.valid or "raise" in said or "wrong type" in said

"""The three toys: known optima, merging states, a two-hop question, faults on command."""

from __future__ import annotations

import itertools
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.env import TurnEnv, env_class, find_spec, make
from agentgym.envs.toys.box import Box
from agentgym.envs.toys.corridor import Corridor
from agentgym.envs.toys.faults import FAULTS
from agentgym.envs.toys.lookup import CITIES, NAMES, Lookup
from agentgym.envs.toys.png import encode_png
from agentgym.errors import UsageError
from agentgym.types import Observation, Outcome, Task
from oracles import corridor_rules

TOYS = ("agentgym/Corridor-v0", "agentgym/Lookup-v0", "agentgym/Box-v0")
SPLITS = ("gen1/train", "gen1/unseen")


def started(env_type: type[TurnEnv], task: Task) -> Any:
    """An environment at the beginning of a task, and its first observation."""
    env = env_type()
    observation, _ = env.reset(options={"task": task})
    return env, observation


def rooms(task: Task) -> tuple[int, int, int]:
    """Where one begins, where the keys lie, where the door is."""
    places: Any = task.public["rooms"]
    start, key_room, door_room = places
    return start, key_room, door_room


@pytest.mark.parametrize("env_id", TOYS)
def test_the_expert_wins_every_task_within_the_limit(env_id: str) -> None:
    env = make(env_id)
    inner = env.unwrapped
    assert isinstance(inner, TurnEnv)
    for split in SPLITS:
        for task in env_class(env_id).panel(split):
            env.reset(options={"task": task})
            over = False
            while not over:
                _, _, terminated, truncated, _ = env.step(inner.expert_action())
                over = terminated or truncated
            assert inner.outcome() == Outcome(score=1.0, success=True)


PANELS = {
    ("agentgym/Box-v0", "gen1/train"): "7489246be9042bd4",
    ("agentgym/Box-v0", "gen1/unseen"): "51a29ffafd7eef45",
    ("agentgym/Corridor-v0", "gen1/train"): "d55609a250948d2d",
    ("agentgym/Corridor-v0", "gen1/unseen"): "f2d53c5805f04413",
    ("agentgym/Lookup-v0", "gen1/train"): "359a807cf00e2e6d",
    ("agentgym/Lookup-v0", "gen1/unseen"): "4cd0aab9cae25857",
}


def test_panels_are_the_published_ones() -> None:
    """A change of a panel is a change of the environment's version."""
    hashes = {
        (env_id, split): env_class(env_id).panel(split).hash for env_id in TOYS for split in SPLITS
    }
    assert hashes == PANELS


@pytest.mark.parametrize("split", SPLITS)
def test_the_corridor_expert_is_as_short_as_breadth_first_search(split: str) -> None:
    for task in Corridor.panel(split):
        env, _ = started(Corridor, task)
        num_actions = 0
        while not env.outcome().success:
            env.step(env.expert_action())
            num_actions += 1
        assert num_actions == corridor_rules.shortest(*rooms(task))


def test_corridor_offers_what_its_rules_say_and_random_players_sometimes_win() -> None:
    """Exact chances by the rules; the environment offers the same actions in every state."""
    chances = [
        float(corridor_rules.random_success(*rooms(task), find_limit("agentgym/Corridor-v0")))
        for task in Corridor.panel("gen1/train")
    ]
    assert 0.10 < sum(chances) / len(chances) < 0.30
    assert min(chances) > 0.01
    for task in Corridor.panel("gen1/train").tasks[::7]:
        _, key_room, door_room = rooms(task)
        env, observation = started(Corridor, task)
        for action in ("nonsense", "east", "west", "west", "take red key", "east", "take blue key"):
            needed = frozenset(key.removesuffix(" key") for key in env.needed)
            offered = corridor_rules.successors((env.here, needed), key_room, door_room)
            assert set(observation.choices) == set(offered)
            observation = env.step(action)[0]


def find_limit(env_id: str) -> int:
    """The registered turn limit."""
    limit = find_spec(env_id).max_episode_steps
    assert limit is not None
    return limit


def test_in_corridor_both_orders_of_the_keys_meet_in_one_state() -> None:
    task = Task(id="both", split="test", seed=0, public={"rooms": (1, 1, 2)})
    keys = []
    for order in itertools.permutations(["take red key", "take blue key"]):
        env, first = started(Corridor, task)
        keys.append([first.key, *(env.step(action)[0].key for action in order)])
    (first_a, middle_a, last_a), (first_b, middle_b, last_b) = keys
    assert first_a == first_b
    assert middle_a != middle_b
    assert last_a == last_b


def test_a_useless_action_in_corridor_stays_in_its_state() -> None:
    task = Task(id="door", split="test", seed=0, public={"rooms": (1, 2, 1)})
    env, first = started(Corridor, task)
    for action, note in (("fly", "You cannot do that."), ("open door", "The door is locked.")):
        observation, reward, terminated, _, _ = env.step(action)
        assert observation.key == first.key
        assert observation.text == f"{note} {first.text}"
        assert (reward, terminated) == (0.0, False)


def test_lookup_needs_two_hops_and_the_answer_is_first_shown_by_the_second() -> None:
    for task in Lookup.panel("gen1/train"):
        env, first = started(Lookup, task)
        answers: Any = task.secret["answers"]
        (answer,) = answers
        assert answer in CITIES
        assert first.text.removesuffix(" live?").split()[-1] in NAMES
        shown = [env.step(env.expert_action())[0].text for _ in range(2)]
        assert [str(answer) in text for text in (first.text, *shown)] == [False, False, True]


def route(task: Task) -> tuple[str, str, str]:
    """Who is asked about, the friend, and the friend's city."""
    plan: Any = task.secret["plan"]
    asked, friend, city = (call.partition("[")[2].removesuffix("]") for call in plan)
    return asked, friend, city


def test_lookup_holds_out_whole_ways_and_no_step_of_them() -> None:
    train, unseen = (list(map(route, Lookup.panel(split))) for split in SPLITS)
    assert len({*train, *unseen}) == len(train) + len(unseen) == 8 * 7 * 8
    assert {way[:2] for way in unseen} <= {way[:2] for way in train}
    assert {way[1:] for way in unseen} <= {way[1:] for way in train}


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("lookup[Ada]", "lookup[Ada]"),
        ("I wonder about lookup[Ada]... no: answer[Rome].", "answer[Rome]"),
        ("lookup[answer[Rome]]", "answer[Rome]"),
        ("answer[[Rome]]", None),
        ("lookup [Ada]", None),
        ("answer[]", None),
        ("answer[Ro\nme]", None),
        ("answer[" + "x" * 41 + "]", None),
        ("", None),
    ],
)
def test_lookup_takes_the_last_call_of_a_free_text(text: str, action: str | None) -> None:
    parsed = Lookup().parse(text)
    assert parsed.action == action
    assert (parsed.invalid is None) == (action is not None)


def test_a_wrong_answer_ends_lookup_without_reward() -> None:
    task = Lookup.panel("gen1/unseen").tasks[0]
    env, _ = started(Lookup, task)
    answers: Any = task.secret["answers"]
    wrong = next(city for city in CITIES if city not in answers)
    observation, reward, terminated, _, _ = env.step(f"answer[{wrong}]")
    assert (observation.text, reward, terminated) == ("Thank you.", 0.0, True)
    assert env.outcome() == Outcome(score=0.0, success=False)


def test_lookup_of_nobody_and_no_call_are_answered() -> None:
    env, _ = started(Lookup, Lookup.panel("gen1/unseen").tasks[0])
    assert env.step("lookup[Zoe]")[0].text == "Nobody has that name."
    assert env.step("Hm.")[0].text == "No call."


def unpack_png(data: bytes) -> tuple[int, int, bytes]:
    """Width, height and pixels of an 8-bit grey PNG whose rows are unfiltered."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (size,) = struct.unpack_from("!I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack_from("!I", data, at + 8 + size) == (zlib.crc32(kind + body),)
        chunks[kind] = body
        at += 12 + size
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *rest = struct.unpack("!2I5B", chunks[b"IHDR"])
    assert rest == [8, 0, 0, 0, 0]
    lines = zlib.decompress(chunks[b"IDAT"])
    assert len(lines) == height * (width + 1)
    assert set(lines[:: width + 1]) == {0}
    return (
        width,
        height,
        b"".join(lines[row * (width + 1) + 1 : (row + 1) * (width + 1)] for row in range(height)),
    )


def test_a_png_holds_its_pixels() -> None:
    assert unpack_png(encode_png([b"\x00\x01\x02", b"\xff\xfe\xfd"])) == (
        3, 2, b"\x00\x01\x02\xff\xfe\xfd",
    )  # fmt: skip


def test_box_works_through_its_sandbox_and_shows_a_screen() -> None:
    env, first = started(Box, Box.panel("gen1/train").get("fern"))
    seen = [first, *(env.step(text)[0] for text in ("run cat note", "run rm -rf /", "dance"))]
    assert [each.text for each in seen] == [
        "$", "The word is fern.", "command not found\n", "That is no command.",
    ]  # fmt: skip
    for num_lines, each in enumerate(seen, start=1):
        lit = b"\xff" * 8 * num_lines
        assert unpack_png(each.image) == (8, 8, lit + b"\0" * (64 - len(lit)))
    assert env.outcome() == Outcome(score=0.0, success=False)
    _, reward, terminated, _, _ = env.step("submit fern")
    assert (reward, terminated) == (0.0, True)
    assert env.outcome() == Outcome(score=1.0, success=True)


def test_a_box_fault_can_be_planted_in_reset() -> None:
    task = Task(
        id="planted", split="test", seed=0, public={"fault": "raise"}, secret={"answers": ["plum"]}
    )
    with pytest.raises(RuntimeError, match="^boom boom"):
        started(Box, task)


HARMLESS = st.text(st.characters()).filter(lambda text: text.strip() not in FAULTS)
"""Hypothesis tries the strings of the source as well, and Box does what its faults say."""


@pytest.mark.parametrize("env_id", TOYS)
@given(text=HARMLESS)
def test_any_text_is_a_legal_action(env_id: str, text: str) -> None:
    env, _ = started(env_class(env_id), env_class(env_id).panel("gen1/train").tasks[0])
    parsed = env.parse(text)
    observation, reward, terminated, _, _ = env.step(text)
    assert isinstance(observation, Observation)
    assert reward in (0.0, 1.0)
    assert (parsed.action is None) == (parsed.invalid is not None)
    assert parsed.action is not None or not terminated


@pytest.mark.parametrize("env_id", TOYS)
def test_an_unknown_split_names_the_nearest(env_id: str) -> None:
    with pytest.raises(UsageError, match="did you mean 'gen1/unseen'"):
        env_class(env_id).panel("gen1/unsee")

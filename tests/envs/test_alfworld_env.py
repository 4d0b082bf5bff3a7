from __future__ import annotations

import time
from typing import Any

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import example, given
from hypothesis import strategies as st

import agentgym  # noqa: F401  registers the environments
from agentgym.envs.alfworld.engine import NOTHING
from agentgym.envs.alfworld.env import ALFWorld
from agentgym.envs.alfworld.house import Goal
from agentgym.envs.alfworld.prompt import read_command
from agentgym.envs.alfworld.tasks import load_panel
from agentgym.errors import UsageError
from agentgym.types import Observation, Parsed, Task

TASK = load_panel("gen1/seen").tasks[0]


def started() -> tuple[ALFWorld, Observation]:
    env = ALFWorld()
    first, _ = env.reset(options={"task": TASK})
    return env, first


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("look", "look"),
        ("  look\n", "look"),
        ("<action>look</action>", "look"),
        ("<think>hm</think><action> go to desk 1 </action> bye", "go to desk 1"),
        ("<action>look</action> no, <action>help</action>", "help"),
        ("<action>look</action> and <action>hel", "look"),
        ("<think>hm</think> look ", "look"),
        ("so I thought</think>look", "look"),
        ("<think>never ends: look", ""),
        ("<action></action>", ""),
        ("</action>look<action>", "</action>look<action>"),
        ("", ""),
        ("put mug 1 in/on desk 1", "move mug 1 to desk 1"),
        ("put mug 1 in cabinet 2", "move mug 1 to cabinet 2"),
        ("put mug 1 on shelf 2", "move mug 1 to shelf 2"),
        ("<action>put mug 1 in/on desk 1</action>", "move mug 1 to desk 1"),
        ("put mug 1", "put mug 1"),
        ("Look", "Look"),
    ],
)
def test_a_command_is_read_out_of_a_models_text(text: str, command: str) -> None:
    assert read_command(text) == command


def test_parsing_names_why_there_is_no_action() -> None:
    env, first = started()
    assert first.choices is not None
    assert env.parse(first.choices[0]) == Parsed(action=first.choices[0])
    assert env.parse("<think>well</think>") == Parsed(invalid="no_action")
    assert env.parse("fly to the moon") == Parsed(invalid="not_admissible")


def test_an_invalid_text_costs_a_turn_and_changes_nothing() -> None:
    env, first = started()
    observation, reward, terminated, truncated, _ = env.step("fly to the moon")
    assert (observation.text, observation.choices) == (NOTHING, first.choices)
    assert (reward, terminated, truncated) == (0.0, False, False)


def test_the_old_verb_puts_things_down() -> None:
    env, _ = started()
    for verb in ("move", "put"):
        while not env.expert_action().startswith("move"):
            env.step(env.expert_action())
        item, place = env.expert_action().removeprefix("move ").split(" to ")
        text = f"move {item} to {place}" if verb == "move" else f"put {item} in/on {place}"
        observation = env.step(text)[0]
        assert observation.text == f"You move the {item} to the {place}."
        env.reset(options={"task": TASK})


def test_a_win_ends_the_game_with_reward_and_score_one() -> None:
    env, _ = started()
    assert (env.outcome().score, env.outcome().success) == (0.0, False)
    rewards, terminated = [], False
    while not terminated:
        _, reward, terminated, _, _ = env.step(env.expert_action())
        rewards.append(reward)
    assert rewards == [0.0] * (len(rewards) - 1) + [1.0]
    assert (env.outcome().score, env.outcome().success) == (1.0, True)


def test_the_state_says_what_the_text_leaves_out() -> None:
    """Walking about comes back to a state; something done to the house, or another place, does
    not, though the text be the same."""

    def after(*commands: str) -> Observation:
        env, seen = started()
        for command in commands:
            seen, *_ = env.step(command)
        return seen

    planned = ALFWorld()
    seen, _ = planned.reset(options={"task": TASK})
    walk, *_ = way = [planned.expert_action()]
    while not way[-1].startswith("take"):
        planned.step(way[-1])
        way.append(planned.expert_action())
    assert seen.choices is not None
    elsewhere = next(c for c in seen.choices if c.startswith("go to ") and c != walk)

    assert after(walk).state == after(elsewhere, walk).state
    nothing, there = after(walk, "jump"), after(elsewhere, "jump")
    assert nothing.key == there.key == NOTHING
    assert nothing.state != there.state
    holding = after(*way, "jump")
    assert holding.key == NOTHING
    assert holding.state not in (nothing.state, after(*way[:-1], "jump").state)
    item, place = way[-1].removeprefix("take ").split(" from ")
    back = after(*way, f"move {item} to {place}", "jump")
    assert f"holding nothing; {item} to {place};" in back.state


def first_task(task_type: str) -> Task:
    """Of that type."""

    def is_it(task: Task) -> bool:
        public: Any = task.public
        return Goal.from_json(public["goal"]).task_type == task_type

    return next(filter(is_it, load_panel("gen1/seen").tasks))


@pytest.mark.parametrize("verb", ["clean", "heat", "cool"])
def test_the_state_remembers_a_treatment(verb: str) -> None:
    env = ALFWorld()
    env.reset(options={"task": first_task(f"pick_{verb}_then_place")})
    while not (command := env.expert_action()).startswith(verb):
        env.step(command)
    before, *_ = env.step("jump")
    env.step(command)
    after, *_ = env.step("jump")
    assert (before.key, before.choices) == (after.key, after.choices)
    assert before.state != after.state


def test_the_state_remembers_a_lamp_that_is_on() -> None:
    env = ALFWorld()
    seen, _ = env.reset(options={"task": first_task("look_at_obj_in_light")})
    assert seen.choices is not None
    for walk in [choice for choice in seen.choices if choice.startswith("go to ")]:
        seen, *_ = env.step(walk)
        assert seen.choices is not None
        lamps = [choice for choice in seen.choices if choice.startswith("use ")]
        if lamps:
            break
    before, *_ = env.step("jump")
    env.step(lamps[0])
    after, *_ = env.step("jump")
    assert (before.key, before.choices) == (after.key, after.choices)
    assert before.state != after.state


def test_the_turn_limit_is_fifty() -> None:
    env = gymnasium.make("agentgym/ALFWorld-v0", disable_env_checker=True)
    env.reset(options={"task": TASK})
    ends = [env.step("look")[2:4] for _ in range(50)]
    assert ends[48:] == [(False, False), (False, True)]


def test_gymnasiums_checker_passes() -> None:
    check_env(gymnasium.make("agentgym/ALFWorld-v0").unwrapped)


def test_a_seed_fixes_the_task_and_the_walk() -> None:
    def walk(seed: int) -> list[Observation]:
        env = ALFWorld()
        seen = [env.reset(seed=seed)[0]]
        for turn in range(20):
            choices = seen[-1].choices
            assert choices is not None
            seen.append(env.step(choices[turn * 7 % len(choices)])[0])
        return seen

    assert walk(3) == walk(3)
    assert walk(3)[0] != walk(4)[0]


def test_a_published_game_file_is_refused_by_name() -> None:
    task = Task(id="official/valid/1", split="official/valid", seed=0, public={"game": "x.tw-pddl"})
    with pytest.raises(UsageError, match="official/valid/1.*play it in agentgym/"):
        ALFWorld().reset(options={"task": task})


FUZZED, _ = started()


@given(st.text(st.characters()) | st.binary().map(lambda raw: raw.decode("latin-1")))
@example("\0")
@example("\ud800\udfff")
@example("<action>\ud800</action>")
@example("go to " * 100_000)
@example("<think>" * 100_000)
def test_every_string_is_a_legal_action(text: str) -> None:
    observation, reward, terminated, truncated, _ = FUZZED.step(text)
    assert observation.text == NOTHING or FUZZED.parse(text).action is not None
    assert (reward, terminated, truncated) == (0.0, False, False)


@pytest.mark.parametrize(
    "piece", ["<action>", "</action>", "<think>", "</think>", "put ", " in/on ", " ", "a", "<"]
)
def test_a_megabyte_is_parsed_in_linear_time(piece: str) -> None:
    began = time.perf_counter()
    FUZZED.step(piece * (1_000_000 // len(piece)))
    FUZZED.step("put " + piece * (1_000_000 // len(piece)))
    assert time.perf_counter() - began < 2.0  # linear: about 0.01 s; quadratic: hours

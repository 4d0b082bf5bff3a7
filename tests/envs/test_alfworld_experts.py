from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from agentgym.envs.alfworld.engine import NOTHING, NativeGame
from agentgym.envs.alfworld.env import ALFWorld
from agentgym.envs.alfworld.experts import Explorer, Planner
from agentgym.envs.alfworld.house import SENTENCES, Goal, House
from agentgym.envs.alfworld.reading import read_goal
from agentgym.envs.alfworld.tasks import SIZES, load_panel
from agentgym.errors import UsageError
from agentgym.types import Observation, Task

MAX_TURNS = 50


def new_game(task: Task) -> NativeGame:
    public: Any = task.public
    return NativeGame(House.from_json(public["house"]), Goal.from_json(public["goal"]))


def play_planner(task: Task) -> int | None:
    """The number of turns to the win; None without one."""
    game = new_game(task)
    for turn in range(MAX_TURNS):
        if game.won:
            return turn
        assert game.step(Planner(game).act()) != NOTHING
    return MAX_TURNS if game.won else None


def play_explorer(task: Task, explorer: Explorer, *, mistakes: float = 0.0) -> int | None:
    """As `play_planner`; the explorer gets the texts and nothing else."""
    game, coin = new_game(task), random.Random(task.id)
    explorer.reset(Observation(text=game.intro))
    for turn in range(MAX_TURNS):
        if game.won:
            return turn
        slip = coin.random() < mistakes
        command = explorer.mistake() if slip else explorer.act()
        text = game.step(command)
        assert slip or text != NOTHING
        explorer.observe(command, Observation(text=text))
    return MAX_TURNS if game.won else None


def describe(turns: Iterable[int | None]) -> tuple[float, float]:
    """Success, and the mean length of the games won; printed for the reader of a test run."""
    played = list(turns)
    won = [turn for turn in played if turn is not None]
    success, length = len(won) / len(played), sum(won) / len(won)
    print(f"{len(played)} games: success {success:.3f}, mean {length:.2f}, longest {max(won)}")
    return success, length


@pytest.mark.parametrize("split", SIZES)
def test_the_planner_wins_every_task_within_the_turn_limit(split: str) -> None:
    success, length = describe(play_planner(task) for task in load_panel(split))
    assert success == 1.0
    assert length < 7


@pytest.mark.parametrize("split", SIZES)
def test_the_explorer_wins_from_the_texts_alone(split: str) -> None:
    success, length = describe(play_explorer(task, Explorer(seed=0)) for task in load_panel(split))
    assert success >= 0.99
    assert length < 11


def test_the_explorer_recovers_from_mistakes() -> None:
    success, _ = describe(
        play_explorer(task, Explorer(seed=task.seed, off_order=0.1, idle=0.03), mistakes=0.2)
        for task in load_panel("gen1/train").tasks[:500]
    )
    assert success >= 0.97


def test_most_mistakes_are_impossible_and_none_is_the_right_command() -> None:
    answers: Counter[bool] = Counter()
    for task in load_panel("gen1/seen"):
        game, explorer = new_game(task), Explorer(seed=task.seed)
        explorer.reset(Observation(text=game.intro))
        while not game.won:
            right, slip = explorer.act(), explorer.mistake()
            assert slip != right
            answers[slip not in game.admissible] += 1
            explorer.observe(right, Observation(text=game.step(right)))
    assert 0.6 < answers[True] / answers.total() < 0.95


def test_an_explorer_plays_the_same_game_twice() -> None:
    def commands(seed: int) -> list[str]:
        task = load_panel("gen1/unseen").tasks[5]
        game, explorer = new_game(task), Explorer(seed=seed, off_order=0.5, idle=0.2)
        explorer.reset(Observation(text=game.intro))
        played: list[str] = []
        while not game.won:
            played.append(explorer.act())
            explorer.observe(played[-1], Observation(text=game.step(played[-1])))
        return played

    assert commands(1) == commands(1)
    assert len({tuple(commands(seed)) for seed in range(5)}) > 1


def test_every_wording_of_a_task_is_read_back() -> None:
    for task_type, sentences in SENTENCES.items():
        for wording in range(len(sentences)):
            look = "lamp" in sentences[wording]
            goal = Goal(
                task_type=task_type,
                item="mug",
                receptacle="" if look else "shelf",
                lamp="desklamp" if look else "",
                wording=wording,
            )
            assert read_goal(f"A room.\n\nYour task is to: {goal.sentence}.") == goal


def test_a_task_in_other_words_is_refused() -> None:
    with pytest.raises(UsageError, match="no known task: 'tidy up'"):
        Explorer(seed=0).reset(Observation(text="Your task is to: tidy up."))


def test_the_environments_experts_are_these() -> None:
    env = ALFWorld()
    env.reset(options={"task": load_panel("gen1/seen").tasks[0]})
    for _ in range(MAX_TURNS):
        _, reward, terminated, _, _ = env.step(env.expert_action())
        if terminated:
            break
    assert reward == 1.0 and env.outcome().success
    assert isinstance(env.demonstrator(seed=3), Explorer)

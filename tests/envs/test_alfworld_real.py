"""ALFWorld in the original engine; runs where the extra `alfworld` is installed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gymnasium.utils.env_checker import check_env

from agentgym.envs.alfworld.env import REAL_ENV_ID
from agentgym.envs.alfworld.house import Goal, House, Item, Receptacle, TaskType
from agentgym.envs.alfworld.pddl import write_game
from agentgym.envs.alfworld.tasks import make_task
from agentgym.envs.alfworld.textworld import TextWorldALFWorld, TextWorldEngine, TextWorldGame
from agentgym.errors import EnvError
from agentgym.pool import ProcessPool
from agentgym.types import Observation, Reply, Task

pytest.importorskip(
    "textworld",
    reason="the original ALFWorld engine has an environment of its own: make test runs this there",
)
pytestmark = pytest.mark.alfworld

HOUSE = House(
    scene=1,
    room="kitchen",
    receptacles=(
        *(Receptacle(name=f"cabinet {number}") for number in range(1, 12)),
        Receptacle(name="countertop 1"),
        Receptacle(name="sinkbasin 1"),
    ),
    items=(
        *(Item(name=f"mug {number}", place="countertop 1") for number in range(1, 11)),
        Item(name="apple 1", place="countertop 1"),
        Item(name="fork 1", place="sinkbasin 1"),
    ),
)
GOAL = Goal(task_type=TaskType.CLEAN, item="mug", receptacle="cabinet")
WIN = (
    "go to countertop 1",
    "take mug 3 from countertop 1",
    "go to sinkbasin 1",
    "clean mug 3 with sinkbasin 1",
    "go to cabinet 7",
    "open cabinet 7",
    "move mug 3 to cabinet 7",
)
TASK = Task(
    id="test/1",
    split="test",
    seed=0,
    public={"house": HOUSE.to_json(), "goal": GOAL.to_json()},
)


@pytest.fixture(scope="module")
def env() -> TextWorldALFWorld:
    return TextWorldALFWorld()


def play(env: TextWorldALFWorld, task: Task, commands: tuple[str, ...]) -> list[Observation]:
    """Everything that is seen from reset on."""
    seen = [env.reset(options={"task": task})[0]]
    return seen + [env.step(command)[0] for command in commands]


def test_things_are_listed_by_kind_upwards_and_by_number_downwards(env: TextWorldALFWorld) -> None:
    first, there = play(env, TASK, ("go to countertop 1",))
    cabinets = ", ".join(f"a cabinet {number}" for number in range(11, 0, -1))
    assert f"you see {cabinets}, a countertop 1, and a sinkbasin 1.\n" in first.text
    mugs = ", ".join(f"a mug {number}" for number in range(10, 1, -1))
    assert there.text.endswith(f"you see a apple 1, {mugs}, and a mug 1.")


def test_a_win_gives_reward_and_score_one(env: TextWorldALFWorld) -> None:
    play(env, TASK, WIN[:-1])
    assert env.outcome().score == 0.0
    observation, reward, terminated, truncated, _ = env.step(WIN[-1])
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert observation.text == "You move the mug 3 to the cabinet 7."
    assert (env.outcome().score, env.outcome().success) == (1.0, True)


def test_the_translator_leaves_our_arguments_alone(env: TextWorldALFWorld) -> None:
    before = list(sys.argv)
    env.reset(options={"task": TASK})
    assert sys.argv == before


def test_two_engines_in_one_process_do_not_disturb_each_other(env: TextWorldALFWorld) -> None:
    alone = play(env, TASK, WIN)
    other = TextWorldALFWorld()
    seen = play(env, TASK, WIN[:3])
    play(other, make_task("gen1/train", 1), ("look", "go to desk 1"))
    for command in WIN[3:]:
        seen.append(env.step(command)[0])
        other.step("inventory")
    assert seen == alone


def test_a_malformed_problem_is_an_environment_error() -> None:
    game = write_game(HOUSE, GOAL)
    problem = str(game["pddl_problem"]).replace("(isClean ?o)", "(isShiny ?o)")
    with pytest.raises(EnvError, match="cannot read the game: .*isshiny"):
        TextWorldGame(TextWorldEngine(), {**game, "pddl_problem": problem})


def test_games_in_the_older_grammar_are_shown_and_played_in_the_current_one() -> None:
    game = write_game(HOUSE, GOAL)
    current = "move {o} to {r}"
    older = {**game, "grammar": str(game["grammar"]).replace(current, "put {o} in/on {r}")}
    played = TextWorldGame(TextWorldEngine(), older)
    for command in WIN:
        assert command in played.admissible
        played.step(command)
    assert played.won and not any(command.startswith("put") for command in played.admissible)


def test_gymnasiums_checker_passes(env: TextWorldALFWorld) -> None:
    check_env(env, skip_render_check=True)


def test_any_string_is_a_legal_action(env: TextWorldALFWorld) -> None:
    texts = ("", "\0", "\ud800", "go to " * 10_000, "look\nlook", "LOOK", "put mug 1")
    seen = play(env, TASK, texts)
    assert {observation.text for observation in seen[1:]} == {"Nothing happens."}


AS_INSTALLED_AND_QUICKENED = """
import json, sys
from agentgym.envs.alfworld.env import REAL_ENV_ID
from agentgym.envs.alfworld.house import Goal, House
from agentgym.envs.alfworld.pddl import write_game
from agentgym.envs.alfworld.textworld import TextWorldEngine, TextWorldGame, quicken_engine
task, commands = json.loads(sys.argv[1])
game = write_game(House.from_json(task["house"]), Goal.from_json(task["goal"]))

def play():
    played = TextWorldGame(TextWorldEngine(), game)
    return [played.intro] + [(played.step(c), played.admissible, played.won) for c in commands]

as_installed = play()
quicken_engine()
assert play() == as_installed
print(as_installed[-1][2])
"""


def test_quickening_the_engine_changes_no_answer() -> None:
    arguments = json.dumps([TASK.public, [*WIN[:2], "look", "help", "fly", *WIN[2:]]])
    command = [sys.executable, "-c", AS_INSTALLED_AND_QUICKENED, arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


@pytest.fixture
def official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder as published, with one game that we wrote."""
    folder = tmp_path / "json_2.1.1" / "valid_unseen" / "pick_clean-Mug-None-Cabinet-1" / "trial_1"
    folder.mkdir(parents=True)
    folder.joinpath("game.tw-pddl").write_text(json.dumps(write_game(HOUSE, GOAL)))
    trajectory = {"task_type": "pick_clean_then_place_in_recep", "task_id": "trial_1"}
    folder.joinpath("traj_data.json").write_text(json.dumps(trajectory))
    monkeypatch.setenv("ALFWORLD_DATA", str(tmp_path))
    return tmp_path


def test_published_games_are_played_in_worker_processes(official: Path) -> None:
    async def win(task: Task) -> list[Reply]:
        async with ProcessPool(REAL_ENV_ID, num_workers=1) as pool, pool.seat() as seat:
            await seat.reset(task, seed=0)
            replies = [await seat.step(command) for command in WIN]
            assert (await seat.outcome()).success
            return replies

    (task,) = TextWorldALFWorld.panel("official/unseen")
    assert "official/unseen" in TextWorldALFWorld.splits()
    replies = asyncio.run(win(task))
    assert [reply.terminated for reply in replies] == [False] * 6 + [True]
    assert replies[0].observation.text.startswith("You arrive at countertop 1.")


def test_the_packages_own_loader_takes_our_games(official: Path) -> None:
    from alfworld.agents.environment.alfred_tw_env import AlfredTWEnv

    config: dict[str, Any] = {
        "env": {"goal_desc_human_anns_prob": 0.0, "task_types": [1, 2, 3, 4, 5, 6]},
        "dataset": {
            "eval_ood_data_path": str(official / "json_2.1.1" / "valid_unseen"),
            "num_eval_games": -1,
        },
    }
    (name,) = AlfredTWEnv(config, train_eval="eval_out_of_distribution").game_files
    assert json.loads(Path(name).read_text()) == write_game(HOUSE, GOAL)


@pytest.mark.parametrize("index", [1, 5])
def test_the_explorer_wins_in_the_original_engine(env: TextWorldALFWorld, index: int) -> None:
    task = make_task("gen1/unseen", index)
    explorer = env.demonstrator(seed=1)
    observation, _ = env.reset(options={"task": task})
    explorer.reset(observation)
    for _ in range(100):
        command = explorer.act()
        observation, _, terminated, _, _ = env.step(command)
        explorer.observe(command, observation)
        if terminated:
            break
    assert env.outcome().success

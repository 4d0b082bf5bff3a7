"""Runs to look at: environments with pictures of their own, and whatever may be wrong with one."""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum
from pathlib import Path

import gymnasium
from scored import ended, episode, turn
from stored_runs import by_seed, write_run

from agentgym import store
from agentgym.env import TurnEnv
from agentgym.envs.toys.png import encode_png
from agentgym.picture import Places, with_places
from agentgym.rows import schema
from agentgym.tools import Call
from agentgym.types import Episode, EpisodeId, ErrorInfo, Observation, Status


class Runs(IntEnum):
    """The served runs by their number."""

    STORED = 0
    PICTURED = 1
    DAMAGED = 2
    FAILED = 3
    EVALUATED = 4
    GROWING = 5
    EMPTY = 6


SHOWN = (
    ("agentgym/ALFWorld-v0", "gen1/unseen"),
    ("agentgym/WebShop-v0", "gen1/dev"),
    ("agentgym/Search-v0", "gen1/unseen"),
    ("agentgym/Box-v0", "gen1/unseen"),
)
EDIT = {"path": "f.py", "old": "def f():\n    return 1\n", "new": "def f():\n    return 2\n"}
CALLS = (
    (Call(name="bash", arguments={"command": "pytest -q"}), "exit code 1\n1 failed"),
    (Call(name="edit", arguments=EDIT), "f.py was changed"),
)
FACTS = {"resolved": 1.0, "flaw": None, "fail_to_pass": {"test_f": "passed"}, "broken": {}}
PAGE = 'Task: Press Submit.\n\n[1] textbox [2] button "Submit"\nnothing else'
DIFF = "@@ -1,2 +1,2 @@\n def f():\n-    return 1\n+    return 2"


def won_by_expert(env_id: str, split: str, *, group: int) -> Episode:
    """The second task of a split, as the environment's expert plays it."""
    env = gymnasium.make(env_id).unwrapped
    assert isinstance(env, TurnEnv)
    task = env.panel(split).tasks[1]
    first, _ = env.reset(options={"task": task})
    turns, terminated = [], False
    while not terminated:
        text = env.expert_action()
        done = turn(env.parse(text).action, "")
        observation, reward, terminated, _, _ = env.step(text)
        turns.append(replace(done, text=text, observation=observation, reward=float(reward)))
    return replace(
        episode(turns, 1.0),
        id=EpisodeId(step=0, group=group, member=0),
        env=env_id,
        task_id=task.id,
        first=first,
        status=Status.SUCCESS,
        success=True,
    )


def mended() -> Episode:
    """Two calls in one turn, as SWE has them, and then the third; what grading found."""
    answers = "\n".join(f"<tool_response>\n{text}\n</tool_response>" for _, text in CALLS)
    first = turn("\n".join(str(call) for call, _ in CALLS), "")
    first = replace(first, observation=Observation(text=answers))
    last = turn(str(Call(name="submit", arguments={})), "end")
    return replace(episode([first, last], 1.0), env="agentgym/SWE-v0", facts=FACTS)


def clicked() -> Episode:
    """A page with a picture that says where its button is, and clicks on it, as GUI has them."""
    grey = encode_png([b"\xdd" * 160] * 120)
    boxes = {1: (10.0, 10.0, 60.0, 20.0), 2: (80.0, 90.0, 50.0, 20.0)}
    page = Observation(
        text=PAGE, image=with_places(grey, Places(width=160, height=120, boxes=boxes))
    )
    actions = ("type[1, a, b]", "click[2]", "click_at[40, 60]", "drag[1, 2]")
    turns = [replace(turn(action, ""), observation=page) for action in actions]
    return replace(episode(turns, 0.0), env="agentgym/GUI-v0", first=page)


def heated() -> Episode:
    """Two tokens of which everything is known, drawn at a temperature of 2."""
    done = replace(
        turn("go", "end", values=(0.25, -1.0)),
        logprobs=(-2.0, -0.5),
        kept=(1.0, 1.25),
        temperature=2.0,
    )
    return replace(episode([done], 1.0), advantages=(0.5,), token_advantages=((1.5, -0.5),))


def write_pictured(folder: Path) -> None:
    """One group for each environment of `SHOWN`, one whose text is a diff, and those above."""
    episodes = [won_by_expert(*each, group=group) for group, each in enumerate(SHOWN)]
    plain = episode([replace(turn("edit", ""), text=DIFF)], 0.0, first="a file")
    for group, made in enumerate((plain, mended(), clicked(), heated()), len(SHOWN)):
        episodes.append(replace(made, id=EpisodeId(step=0, group=group, member=0)))
    store.write_episodes(folder / "episodes" / "eval-000000.parquet", episodes)


def write_damaged(folder: Path) -> None:
    """A train step that is sound, one that lacks its second half, one of a later program."""
    write_run(folder, by_seed)
    later = schema().with_metadata({"agentgym.schema": "99"})
    store.write_parquet(folder / "episodes" / "step-000002.parquet", [], later)
    path = folder / "episodes" / "step-000000.parquet"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def write_failed(folder: Path) -> None:
    """Episodes that our machinery ended, two of them alike; one of the model's; and no recipe."""
    lost = episode([turn("go", "a")], None)
    messages = ("worker 12 died", "worker 7 died", "no space left")
    told = [ErrorInfo(type="WorkerDied", phase="step", message=message) for message in messages]
    failed = [replace(lost, error=error) for error in told]
    failed.append(episode([turn(None, "a"), turn(None, "b"), turn("go", "c")], 0.0))
    numbered = [
        replace(each, id=EpisodeId(step=0, group=group, member=0))
        for group, each in enumerate(failed)
    ]
    store.write_episodes(folder / "episodes" / "step-000000.parquet", numbered)


def write_evaluated(folder: Path) -> None:
    """Two evaluations of four tasks: one was fixed, one broke, two stayed as they were."""
    for step, scores in ((0, (0.0, 1.0, 1.0, 0.0)), (4, (1.0, 0.0, 1.0, 0.0))):
        played = [
            replace(
                ended(f"go {step}->room {number}, leave->END", score),
                id=EpisodeId(step=step, group=number, member=0),
                task_id=f"task-{number}",
            )
            for number, score in enumerate(scores)
        ]
        path = folder / "episodes" / f"eval-{step:06d}-sampled.parquet"
        store.write_episodes(path, played)


def write_step(folder: Path, step: int) -> None:
    """One more train step of a run that grows."""
    found = replace(episode([turn("go", "a")], 1.0), id=EpisodeId(step=step, group=0, member=0))
    store.write_episodes(folder / "episodes" / f"step-{step:06d}.parquet", [found])


def write_others(folder: Path) -> list[Path]:
    """All but the first of them in a folder, in the order of their numbers."""
    folders = [folder / name.lower() for name in Runs.__members__][1:]
    write_pictured(folders[0])
    write_damaged(folders[1])
    write_failed(folders[2])
    write_evaluated(folders[3])
    write_step(folders[4], 0)
    folders[5].mkdir()
    return folders

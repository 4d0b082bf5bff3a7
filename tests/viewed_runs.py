"""Runs to look at: environments with pictures of their own, and whatever may be wrong with one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gymnasium
from scored import episode, turn
from stored_runs import by_seed, write_run

from agentgym import store
from agentgym.env import TurnEnv
from agentgym.types import Episode, EpisodeId, Status

STORED, PICTURED, DAMAGED, FAILED, EMPTY = range(5)
"""The served runs by their number."""
SHOWN = (
    ("agentgym/ALFWorld-v0", "gen1/unseen"),
    ("agentgym/WebShop-v0", "gen1/dev"),
    ("agentgym/Search-v0", "gen1/unseen"),
    ("agentgym/Box-v0", "gen1/unseen"),
)
DIFF = "@@ -1,2 +1,2 @@\n def f():\n-    return 1\n+    return 2"


def won_by_expert(env_id: str, split: str, *, group: int) -> Episode:
    """The second task of a split, as the environment's expert plays it."""
    env = gymnasium.make(env_id).unwrapped
    assert isinstance(env, TurnEnv)
    task = env.panel(split).tasks[1]
    first, _ = env.reset(options={"task": task})
    turns, terminated = [], False
    while not terminated:
        action = env.expert_action()
        observation, reward, terminated, _, _ = env.step(action)
        turns.append(replace(turn(action, ""), observation=observation, reward=float(reward)))
    return replace(
        episode(turns, 1.0),
        id=EpisodeId(step=0, group=group, member=0),
        env=env_id,
        task_id=task.id,
        first=first,
        status=Status.SUCCESS,
        success=True,
    )


def write_pictured(folder: Path) -> None:
    """One group for each environment of `SHOWN`, and one whose text is a diff."""
    episodes = [won_by_expert(*each, group=group) for group, each in enumerate(SHOWN)]
    plain = episode([replace(turn("edit", ""), text=DIFF)], 0.0, first="a file")
    episodes.append(replace(plain, id=EpisodeId(step=0, group=len(SHOWN), member=0)))
    store.write_episodes(folder / "episodes" / "eval-000000.parquet", episodes)


def write_damaged(folder: Path) -> None:
    """Two train steps; of the first the second half is missing."""
    write_run(folder, by_seed)
    path = folder / "episodes" / "step-000000.parquet"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def write_failed(folder: Path) -> None:
    """One episode, which our machinery ended; and no recipe."""
    failed = episode([turn("go", "a")], None)
    store.write_episodes(folder / "episodes" / "step-000000.parquet", [failed])


def write_others(folder: Path) -> list[Path]:
    """All of these in a folder, in the order of their numbers; the last one is empty."""
    folders = [folder / name for name in ("pictured", "damaged", "failed", "empty")]
    for path, write in zip(folders, (write_pictured, write_damaged, write_failed), strict=False):
        write(path)
    folders[-1].mkdir()
    return folders

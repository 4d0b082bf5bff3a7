"""A user's own copy of the published games, as the panels official/train, /seen and /unseen.

They lie where the `alfworld` package downloads them: below `$ALFWORLD_DATA/json_2.1.1`, one folder
a game, `game.tw-pddl` beside `traj_data.json`.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from agentgym.envs.alfworld.env import REAL_ENV_ID
from agentgym.envs.alfworld.house import TaskType
from agentgym.errors import UsageError, unknown
from agentgym.panel import Panel
from agentgym.types import Json, Task

SPLITS = {
    "official/train": "train",
    "official/seen": "valid_seen",
    "official/unseen": "valid_unseen",
}
"""Split -> its folder."""

TASK_TYPES = {
    "pick_and_place_simple": TaskType.PLACE,
    "look_at_obj_in_light": TaskType.LOOK,
    "pick_clean_then_place_in_recep": TaskType.CLEAN,
    "pick_heat_then_place_in_recep": TaskType.HEAT,
    "pick_cool_then_place_in_recep": TaskType.COOL,
    "pick_two_obj_and_place": TaskType.TWO,
}
"""Published name -> ours. Games of other types exist, and are in no published panel."""


def data_folder() -> Path:
    """Where the published games lie, if anywhere: `$ALFWORLD_DATA`, or the package's default."""
    return Path(os.environ.get("ALFWORLD_DATA") or "~/.cache/alfworld").expanduser()


def find_splits() -> tuple[str, ...]:
    """The splits whose files are there."""
    games = data_folder() / "json_2.1.1"
    return tuple(split for split, name in SPLITS.items() if (games / name).is_dir())


def official_panel(split: str) -> Panel:
    """A published panel, its games in the order of their folders' names.

    Raises:
        UsageError: there is no such split, or its files are not there.
    """
    if split not in SPLITS:
        raise unknown("ALFWorld split", split, SPLITS)
    return _read_panel(split, data_folder())


@cache
def _read_panel(split: str, data: Path) -> Panel:
    """The panel of a split below a data folder; read once per process.

    As published, only games known to be solvable count, and none with movable receptacles or
    sliced objects.
    """
    root = data / "json_2.1.1" / SPLITS[split]
    tasks: list[Task] = []
    for path in sorted(root.glob("**/game.tw-pddl")):
        folder = path.parent.relative_to(data).as_posix()
        trajectory = path.with_name("traj_data.json")
        if "movable" in folder or "Sliced" in folder or not trajectory.is_file():
            continue
        task_type = TASK_TYPES.get(json.loads(trajectory.read_bytes())["task_type"])
        content = path.read_bytes()
        if task_type is None or not json.loads(content).get("solvable"):
            continue
        public: dict[str, Json] = {
            "game": f"{folder}/game.tw-pddl",
            "sha256": hashlib.sha256(content).hexdigest(),
            "type": str(task_type),
        }
        name = path.parent.relative_to(root).as_posix()
        tasks.append(Task(id=f"{split}/{name}", split=split, seed=len(tasks), public=public))
    if not tasks:
        raise UsageError(
            f"no playable games below '{root}' for '{split}': download them with the alfworld"
            " package's alfworld-download, or set ALFWORLD_DATA to the folder that has them"
        )
    return Panel(name=split, env=REAL_ENV_ID, tasks=tuple(tasks))


def read_game(name: str, *, sha256: str) -> Any:
    """The content of a published game file, given relative to the data folder.

    Raises:
        UsageError: the file is missing, or is not the one that the panel was made from.
    """
    path = data_folder() / name
    try:
        content = path.read_bytes()
    except OSError as cause:
        raise UsageError(f"cannot read the game '{path}': {cause.strerror}") from cause
    if hashlib.sha256(content).hexdigest() != sha256:
        raise UsageError(f"the game '{path}' has changed since its panel was made")
    return json.loads(content)

"""Tasks of SWE for tests, and an episode of one; skipped with the reason where no sandbox works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from sandbox_drivers import make

from agentgym.envs.swe.env import SWE
from agentgym.envs.swe.tasks import SPLITS, load_panel
from agentgym.tools import Call
from agentgym.types import Outcome, Task

TASKS = [task for split in SPLITS for task in load_panel(split)]
TALLY = next(task for task in TASKS if task.id.endswith("/tally"))


@contextmanager
def begun(task: Task = TALLY, env: SWE | None = None, **config: Any) -> Iterator[SWE]:
    """An environment after its reset."""
    make("bubblewrap").close()  # skips where it does not work
    with closing(env or SWE(**config)) as found:
        found.reset(options={"task": task})
        yield found


def call(env: SWE, name: str, **arguments: Any) -> str:
    """Make one call; the answer without its tags."""
    text = env.step(env.write_call(Call(name=name, arguments=arguments)))[0].text
    return text.removeprefix("<tool_response>\n").removesuffix("\n</tool_response>")


def play_expert(env: SWE) -> tuple[int, Outcome]:
    """The expert's turns, and the outcome."""
    over, turns = False, 0
    while not over:
        over, turns = env.step(env.expert_action())[2], turns + 1
    return turns, env.outcome()

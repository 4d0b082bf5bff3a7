"""Search episodes that the environment's expert plays."""

from __future__ import annotations

from agentgym.envs.search.env import Search
from agentgym.types import Observation, Task


def played(env: Search, task: Task) -> list[Observation]:
    """What the expert sees, to the end: the question, an answer to each search, the farewell."""
    seen, terminated = [env.reset(options={"task": task})[0]], False
    while not terminated:
        observation, _, terminated, _, _ = env.step(env.expert_action())
        seen.append(observation)
    return seen

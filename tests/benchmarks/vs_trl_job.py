"""What both sides of `vs_trl` are asked to do, and what they answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from agentgym.envs.alfworld.env import ALFWorld
from agentgym.trainers.curriculum import Uniform
from agentgym.types import Task

MARK = "vs_trl: "
"""Begins the line of a side's output that holds its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """GRPO steps in ALFWorld."""

    model: str
    """A model folder."""
    num_steps: int
    num_tasks: int
    """Groups of a step."""
    group_size: int
    max_turns: int
    max_turn_tokens: int
    context: int
    """The longest sequence in tokens."""
    micro_batch_tokens: int
    sequences: int
    """TRL counts its micro-batches in sequences, which must divide the episodes of a step."""
    seed: int

    def tasks(self) -> list[Task]:
        """The tasks of all steps, in the order in which they are played."""
        panel, curriculum = ALFWorld.panel("gen1/train"), Uniform()
        return [
            task
            for step in range(self.num_steps)
            for task in curriculum(panel, step, count=self.num_tasks, seed=self.seed)
        ]

    @staticmethod
    def read() -> Job:
        """From the command line."""
        return Job(**json.loads(sys.argv[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One GRPO step; seconds are the process's own, of the processor."""

    rollout: float
    """Play, rewards and advantages."""
    update: float
    num_turns: int
    num_sampled: int
    """Tokens that the model sampled."""
    num_trained: int
    """Of these, how many went through the update."""
    success: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a side did."""

    conversation: list[int]
    """How it writes the first task's first two observations, and "look" between them."""
    steps: Sequence[Step]
    loaded_gb: float
    """Peak resident memory before the first step."""
    peak_gb: float

    def write(self) -> None:
        """To the standard output."""
        print(MARK + json.dumps(asdict(self)))

    @staticmethod
    def find(output: str) -> Answer:
        """In a side's output."""
        line = next(line for line in output.splitlines() if line.startswith(MARK))
        data = json.loads(line.removeprefix(MARK))
        return Answer(**data | {"steps": [Step(**step) for step in data["steps"]]})

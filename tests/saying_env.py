"""An environment that says what its task tells it to."""

from __future__ import annotations

from typing import Any, ClassVar

from agentgym import Observation, Outcome, Panel, Task, TurnEnv


class Saying(TurnEnv):
    """Answers every action with `public["says"]`; three actions end it, and all of them win."""

    system_prompt = "Say anything."
    expert_name = "anything goes"
    num_closed: ClassVar[int] = 0
    """Over all instances."""

    @classmethod
    def panel(cls, split: str) -> Panel:
        tasks = tuple(saying(f"hello {i}", task_id=str(i)) for i in range(4))
        return Panel(name=split, env="test/Saying-v0", tasks=tasks)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.task = self.pick_task(seed, options)
        self.num_steps = 0
        return Observation(text="Speak."), {}

    def step(self, action: str) -> Any:
        self.num_steps += 1
        ended = self.num_steps == 3
        return Observation(text=str(self.task.public["says"])), 0.0, ended, False, {}

    def outcome(self) -> Outcome:
        return Outcome(score=1.0, success=True)

    def expert_action(self) -> str:
        return "yes"

    def close(self) -> None:
        Saying.num_closed += 1


def saying(text: str, *, task_id: str = "odd") -> Task:
    """A task whose environment says that."""
    return Task(id=task_id, split="gen1/train", seed=0, public={"says": text})

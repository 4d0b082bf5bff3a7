"""A sound environment, and copies of it that each break one promise."""

from __future__ import annotations

import itertools
import random
from typing import Any

from agentgym import Observation, Outcome, Panel, Task, TurnEnv, UsageError

COUNTER = itertools.count()


class Sound(TurnEnv):
    """Say the number of the task."""

    system_prompt = "Say the number."
    expert_name = "knows"

    @classmethod
    def panel(cls, split: str) -> Panel:
        tasks = [
            Task(id=str(i), split=split, seed=i, secret={"plan": f"Say the number {i}."})
            for i in range(10, 15)
        ]
        return Panel(name=split, env="test/Sound-v0", tasks=tuple(tasks))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.task = self.pick_task(seed, options)
        self.won = False
        return Observation(text="Which number?"), {}

    def step(self, action: str) -> Any:
        if self.won:
            raise UsageError("the episode is over; call reset")
        self.won = action.strip() == self.task.id
        return Observation(text="Yes." if self.won else "No."), 0.0, self.won, False, {}

    def outcome(self) -> Outcome:
        return Outcome(score=float(self.won), success=self.won)

    def expert_action(self) -> str:
        return self.task.id


class Restless(Sound):
    """Draws from a generator of its own."""

    def step(self, action: str) -> Any:
        return Observation(text=str(random.random())), *super().step(action)[1:]


class Sticky(Sound):
    """Remembers the episode before."""

    num_resets = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed, options=options)
        self.num_resets += 1
        return Observation(text=f"Which number? Game {min(self.num_resets, 4)}."), {}


class Endless(Sound):
    """Answers after the end."""

    def step(self, action: str) -> Any:
        self.won = self.won or action.strip() == self.task.id
        return Observation(text="Yes." if self.won else "No."), 0.0, self.won, False, {}


class Leaky(Sound):
    """Prints its task when it does not understand."""

    def step(self, action: str) -> Any:
        _, *rest = super().step(action)
        return Observation(text="Yes." if self.won else f"No: {self.task}."), *rest


class Telling(Sound):
    """Has the plan in the first observation."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed, options=options)
        return Observation(text=f"Which number? Hint: {self.task.secret['plan']}"), {}


class Fragile(Sound):
    """Writes what it hears to UTF-8."""

    def step(self, action: str) -> Any:
        action.encode()
        return super().step(action)


class Hopeless(Sound):
    """Its expert does not know."""

    def expert_action(self) -> str:
        return "eleven"


class Quitter(Sound):
    """Ends with the first word, and is never won."""

    def step(self, action: str) -> Any:
        return Observation(text="Never."), 0.0, True, False, {}


class Empty(Sound):
    """Has a panel without tasks."""

    @classmethod
    def panel(cls, split: str) -> Panel:
        return Panel(name=split, env="test/Empty-v0", tasks=())


class Shifting(Sound):
    """Its panel is another one each time."""

    @classmethod
    def panel(cls, split: str) -> Panel:
        task = Task(id="10", split=split, seed=next(COUNTER))
        return Panel(name=split, env="test/Shifting-v0", tasks=(task,))


class Overlapping(Sound):
    """The same tasks to train and to be judged on."""

    @classmethod
    def splits(cls) -> tuple[str, ...]:
        return ("gen1/train", "gen1/unseen")


class Ungraded(Sound):
    """Can be graded at its end only."""

    def outcome(self) -> Outcome:
        assert self.won, "not yet"
        return super().outcome()


class CloseOnce(Sound):
    """Complains when closed again."""

    closed = False

    def close(self) -> None:
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True


class Unseeded(Sound):
    """Leaves Gymnasium's generator alone."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.task = (options or {}).get("task") or self.panel("gen1/train").tasks[0]
        self.won = False
        return Observation(text="Which number?"), {}


class Listed(Sound):
    """Its panel is a plain list."""

    @classmethod
    def panel(cls, split: str) -> Any:
        return list(super().panel(split).tasks)


class Painted(Sound):
    """Makes Gymnasium warn, which it does in yellow, and raises in red."""

    def reset(self, *, seed: int | None = 3, options: dict[str, Any] | None = None) -> Any:
        return super().reset(seed=seed, options=options)

    def outcome(self) -> Outcome:
        raise ValueError("painted \x1b[31mred\x1b[0m")

"""An environment whose tasks are seeds."""

from __future__ import annotations

from typing import Any

from agentgym import Observation, Outcome, SeededEnv, UsageError


class Guess(SeededEnv):
    """Say the number that was drawn."""

    expert_name = "knows"
    won = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.pick_task(seed, options)
        self.number, self.won = int(self.np_random.integers(1_000_000)), False
        return Observation(text=f"The number is {self.number}."), {}

    def step(self, action: str) -> Any:
        if self.won:
            raise UsageError("the episode is over; call reset")
        self.won = action == str(self.number)
        return Observation(text="Yes." if self.won else "No."), float(self.won), self.won, False, {}

    def outcome(self) -> Outcome:
        return Outcome(score=float(self.won), success=self.won)

    def expert_action(self) -> str:
        return str(self.number)

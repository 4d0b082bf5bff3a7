"""Tool environments for tests: a shelf to count on, in either style."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from agentgym import Observation, Outcome, SeededEnv
from agentgym.tools import Style, Told, ToolEnv, tool


class Shelf(ToolEnv, SeededEnv):
    """Put things on a shelf, then say how many there are."""

    system_prompt = "Count."
    style: ClassVar[Style] = "hermes"

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Observation, Any]:
        """An empty shelf."""
        self.pick_task(seed, options)
        self.shelf: list[str] = []
        self.over, self.right = False, False
        return Observation(text="The shelf is empty."), {}

    @tool
    def put(self, what: str, count: int = 1, side: Literal["left", "right"] = "left") -> str:
        """Put things on the shelf.

        Args:
            what: their name,
                in words.
            count: how many.
        """
        self.shelf += [f"{what} ({side})"] * count
        return f"{len(self.shelf)} on the shelf"

    @tool
    def answer(self, text: str) -> Told:
        """Say how many there are, which ends the episode."""
        self.right = text == str(len(self.shelf)) and bool(self.shelf)
        return Told(text="Thank you.", reward=float(self.right), over=True)

    @tool
    def fall(self) -> str:
        """Break the shelf."""
        raise RuntimeError("the shelf broke")

    def outcome(self) -> Outcome:
        """Whether the count was right."""
        return Outcome(score=float(self.right), success=self.right)


class PlainShelf(Shelf):
    """The same, one call a turn."""

    style: ClassVar[Style] = "plain"

"""Sites: where tasks take place, and what they are worth there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from agentgym.browser import Sites, Tab
from agentgym.envs.gui.acting import View
from agentgym.types import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What has been reached so far."""

    reward: float
    over: bool
    success: bool


def verdict(reward: float | None) -> Verdict:
    """Where a reward ends the task, and one above 0 is a success; None is a task that goes on."""
    if reward is None:
        return Verdict(reward=0.0, over=False, success=False)
    return Verdict(reward=float(reward), over=True, success=reward > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """How a site's pages are looked at."""

    sites: Sites
    width: int
    height: int
    scale: int = 1
    """Pixels of a picture for each of the window's."""
    tick_ms: int | None = None
    """How much time passes for the page in a turn; None is real time."""


class Place(Protocol):
    """A site with tasks on it, one at a time."""

    frame: Frame

    def begin(self, tab: Tab, task: Task) -> tuple[str, View]:
        """Lead the tab to the beginning of a task; the instruction, and what the page shows."""
        ...

    def judge(self, tab: Tab) -> tuple[Verdict, View]:
        """What has been reached, and what the page shows; asked after every turn."""
        ...

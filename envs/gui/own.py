"""Pages of a user's own, from a folder or a server, with a reward function."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import ClassVar

from agentgym.browser import Tab
from agentgym.env import SeededEnv
from agentgym.envs.gui.acting import View, look
from agentgym.envs.gui.env import PageEnv
from agentgym.envs.gui.miniwob import serve_file
from agentgym.envs.gui.sites import Frame, Place, Verdict, verdict
from agentgym.errors import UsageError
from agentgym.types import Task

ORIGIN = "http://pages.test"


class OwnPages(PageEnv, SeededEnv):
    """Tasks on a user's pages: derive from it, and say where they are and what they are worth.

    Tasks are seeds (see `SeededEnv`) unless `panel` says otherwise. Of a folder's pages time stands
    still between turns and a second of it passes in each; a server's pages have real time, and an
    episode there is not repeated when the browser fails.
    """

    pages: ClassVar[str | Path] = ""
    """A folder, or the origin of a server: `http://127.0.0.1:8000`."""
    reaches: ClassVar[tuple[str, ...]] = ()
    """Further origins that the pages may reach; nothing else can be."""
    window: ClassVar[tuple[int, int]] = (800, 600)
    """Width and height in CSS pixels."""

    def begin(self, tab: Tab, task: Task) -> tuple[str, str]:
        """The path of the first page, and the instruction; may draw from `self.np_random`."""
        raise NotImplementedError(f"{type(self).__name__} has no `begin`")

    def reward(self, tab: Tab) -> float | None:
        """What was reached, asked after every turn; None while the task goes on."""
        raise NotImplementedError(f"{type(self).__name__} has no `reward`")

    @property
    def repeats(self) -> bool:  # type: ignore[override]  # it depends on where the pages are
        """See `PageEnv.repeats`."""
        return not _is_server(self.pages)

    def place_of(self, task: Task) -> Place:
        """See `PageEnv.place_of`."""
        return self._place

    @cached_property
    def _place(self) -> Place:
        return _Own(self)


class _Own:
    """The place of such an environment."""

    def __init__(self, env: OwnPages) -> None:
        self._env = env
        width, height = env.window
        others = dict.fromkeys(env.reaches)
        if _is_server(env.pages):
            self._origin = str(env.pages).rstrip("/")
            self.frame = Frame(sites={self._origin: None, **others}, width=width, height=height)
            return
        root = Path(env.pages)
        if not root.is_dir():
            raise UsageError(f"{type(env).__name__}.pages: there is no folder '{root}'")
        self._origin = ORIGIN
        self.frame = Frame(
            sites={ORIGIN: lambda asked: serve_file(root, asked), **others},
            width=width,
            height=height,
            tick_ms=1000,
        )

    def begin(self, tab: Tab, task: Task) -> tuple[str, View]:
        """See `Place.begin`."""
        path, instruction = self._env.begin(tab, task)
        tab.open(f"{self._origin}/{path.lstrip('/')}")
        return instruction, look(tab)

    def judge(self, tab: Tab) -> tuple[Verdict, View]:
        """See `Place.judge`; success is a reward above 0."""
        return verdict(self._env.reward(tab)), look(tab)


def _is_server(pages: str | Path) -> bool:
    return str(pages).startswith(("http://", "https://"))

"""GUI: pages to use in a real browser."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from agentgym.browser import Tab
from agentgym.env import TurnEnv
from agentgym.envs.gui.acting import SCRIPT, View, carry_out, picture
from agentgym.envs.gui.experts.book import EXPERTS
from agentgym.envs.gui.experts.reading import Scene
from agentgym.envs.gui.experts.slips import Beginner
from agentgym.envs.gui.miniwob import MiniWoB
from agentgym.envs.gui.prompt import SYSTEM_PROMPT, Command, read_action
from agentgym.envs.gui.shop import Shop
from agentgym.envs.gui.sites import Place, Verdict
from agentgym.envs.gui.tasks import SHOP_SPLITS, SPLITS, load_panel
from agentgym.errors import DeadlineError, SandboxError, UsageError
from agentgym.panel import Panel
from agentgym.registry import browsers
from agentgym.types import Observation, Outcome, Parsed, Task

NOTHING = Verdict(reward=0.0, over=False, success=False)


class PageEnv(TurnEnv):
    """A task on web pages; what stands on a page has numbers, and actions name them.

    The reward of the turn that ends a task is the site's, every other turn's is 0; it is the score.
    A browser that fails or hangs is replaced once and the episode's actions are repeated in the
    new one; if that fails, too, the episode ends as `infra_error`.
    """

    system_prompt = SYSTEM_PROMPT
    needs: ClassVar[str | None] = "extra gui, and Chromium"
    repeats: ClassVar[bool] = True
    """Whether the same actions lead to the same pages, so that an episode can be repeated."""

    def __init__(
        self,
        render_mode: str | None = None,
        *,
        image: bool = False,
        choices: bool = False,
        browser: str = "chromium",
    ) -> None:
        """Make the environment; the browser starts at the first reset.

        Args:
            image: whether observations have a picture of the window, the numbers drawn on it.
            choices: whether they list the actions that need no words or places of one's own.
            browser: the plug-in that drives it.
        """
        super().__init__(render_mode)
        self._image, self._choices, self._browser = image, choices, browser
        self._tab: tuple[Place, Tab] | None = None
        self._task: Task | None = None
        self._over = False

    def place_of(self, task: Task) -> Place:
        """Where a task takes place; the same object whenever it is the same site."""
        raise NotImplementedError(f"{type(self).__name__} has no place")

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin `options["task"]`, or the task of the default split that the seed picks.

        Raises:
            UsageError: there is no browser, or no pages.
            SandboxError: the browser fails twice.
        """
        self._task = self.pick_task(seed, options)
        self._dice = copy.deepcopy(self.np_random)  # an episode that is repeated draws the same
        self._did: list[Command] = []
        self._over, self._verdict = False, NOTHING
        try:
            self._begin()
        except (SandboxError, DeadlineError):
            self._forget_tab()
            self._begin()
        return self._observe(()), {"task_id": self._task.id}

    def _begin(self) -> None:
        """Lead the tab to the beginning of the task."""
        self.np_random = copy.deepcopy(self._dice)
        place = self.place_of(self.task)
        if self._tab is not None and self._tab[0] is not place:
            self._forget_tab()
        if self._tab is None:
            frame = place.frame
            tab: Tab = browsers.make(
                self._browser,
                sites=frame.sites,
                script=SCRIPT,
                width=frame.width,
                height=frame.height,
                scale=frame.scale,
                tick_ms=frame.tick_ms,
            )
            self._tab = (place, tab)
        else:
            self.tab.leave()  # what it was left on would open, a menu say
        self.instruction, self._view = place.begin(self.tab, self.task)
        self._first_entry = self._view.entry

    @property
    def task(self) -> Task:
        """The task under way."""
        assert self._task is not None, "reset comes first"
        return self._task

    @property
    def did(self) -> tuple[str, ...]:
        """The actions so far that meant something."""
        return tuple(map(str, self._did))

    @property
    def tab(self) -> Tab:
        """The page under way."""
        assert self._tab is not None, "reset comes first"
        return self._tab[1]

    def _forget_tab(self) -> None:
        if self._tab is not None:
            self._tab[1].close()
            self._tab = None

    def parse(self, text: str) -> Parsed:
        """See `TurnEnv.parse`; invalid are "no_action" and "not_admissible"."""
        command = read_action(text)
        if command is None:
            return Parsed(invalid="no_action")
        if not self._view.numbers.issuperset(command.numbers):
            return Parsed(invalid="not_admissible")
        return Parsed(action=str(command))

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Carry out the action in a model's text.

        Raises:
            UsageError: the task has ended already.
            SandboxError: the browser failed, and failed again in a new one.
        """
        if self._over:
            raise UsageError("the episode is over; call reset")
        command = read_action(action)
        if command is None:
            return self._observe(("that was no action",)), 0.0, False, False, {}
        for number in command.numbers:
            if number not in self._view.numbers:
                return self._observe((f"there is no [{number}]",)), 0.0, False, False, {}
        try:
            notes = self._do(command)
        except (SandboxError, DeadlineError):
            self._forget_tab()
            if not self.repeats:
                raise
            notes = self._do_again(command)
        self._did.append(command)
        self._over = self._verdict.over or command.kind == "done"
        reward = self._verdict.reward if self._over else 0.0
        return self._observe(notes), reward, self._over, False, {}

    def _do(self, command: Command) -> tuple[str, ...]:
        assert self._tab is not None, "reset comes first"
        place, tab = self._tab
        if command.kind == "done":
            notes: tuple[str, ...] = ()
        elif command.kind == "back" and self._view.entry <= self._first_entry:
            notes = ("there is no page before",)
        else:
            notes = carry_out(tab, command)
        self._verdict, self._view = place.judge(tab)
        return notes

    def _do_again(self, command: Command) -> tuple[str, ...]:
        """In a new browser tab: all that was done in the one that broke, and this."""
        try:
            self._begin()
            for earlier in self._did:
                self._do(earlier)
            return self._do(command)
        except DeadlineError as error:
            raise SandboxError(f"twice: {error}") from error

    def _observe(self, notes: tuple[str, ...]) -> Observation:
        view: View = self._view
        lines = [f"Task: {self.instruction}", *(f"Note: {note}" for note in notes)]
        if view.focused is not None:
            lines.append(f"Focus: [{view.focused}]")
        lines += ["", *(("The task is over.",) if self._over else view.lines)]
        self.shown = "\n".join(lines)
        choices: tuple[str, ...] | None = None
        if self._choices:
            choices = () if self._over else Scene(text=self.shown, did=()).choices
        return Observation(
            text=self.shown,
            choices=choices,
            image=picture(self.tab) if self._image else None,
        )

    def outcome(self) -> Outcome:
        """The site's verdict."""
        return Outcome(score=self._verdict.reward, success=self._verdict.success)

    def close(self) -> None:
        """Close the tab; the browser itself ends with the process."""
        self._forget_tab()


class GUI(PageEnv):
    """MiniWoB's tasks, and WebShop's in the browser."""

    expert_name: ClassVar[str | None] = "rules"
    generated: ClassVar[str] = "MiniWoB's pages under our own seeds and clock"

    def __init__(
        self,
        render_mode: str | None = None,
        *,
        image: bool = False,
        choices: bool = False,
        browser: str = "chromium",
    ) -> None:
        """See `PageEnv`."""
        super().__init__(render_mode, image=image, choices=choices, browser=browser)
        self._shop = Shop()
        self._miniwob = MiniWoB()

    @classmethod
    def splits(cls) -> tuple[str, ...]:
        """Those of MiniWoB, and of WebShop."""
        return (*SPLITS, *SHOP_SPLITS)

    @classmethod
    def panel(cls, split: str) -> Panel:
        """See `tasks.load_panel`."""
        return load_panel(split)

    def place_of(self, task: Task) -> Place:
        """See `PageEnv.place_of`."""
        return self._shop if task.public["site"] == "webshop" else self._miniwob

    def expert_action(self) -> str:
        """What the task's player would do, who reads what the model reads; `done` without one."""
        if self.task.public["site"] == "webshop":
            return self._shop.expert_action(self.shown)
        play = EXPERTS.get(str(self.task.public["type"]))
        return "done" if play is None else play(Scene(text=self.shown, did=self.did))

    def demonstrator(self, *, seed: int) -> Beginner:
        """The expert, who makes a slip when asked for one."""
        return Beginner(self, seed=seed)

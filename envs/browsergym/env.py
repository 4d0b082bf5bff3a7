"""BrowserGym's environments as ours (extra `browsergym`): its pages, actions and rewards.

Source: BrowserGym (arXiv:2412.05467); MiniWoB's actions and limit of turns are those of its own
benchmark. Deviations: an action stands alone or after thoughts, in place of being searched for in
all that a model says; there is no `noop`, which waits for as long as a model likes; and of an error
only the first line is told, since the others say how often a click was tried again.

Its pages have real time, so no episode is repeated to the bit, and they are not locked in as those
of `agentgym/GUI-v0` are.
"""

from __future__ import annotations

import importlib
import io
import os
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import gymnasium

from agentgym.env import TurnEnv, find_name
from agentgym.envs.browsergym.thread import call
from agentgym.envs.command import read_command
from agentgym.envs.gui import miniwob
from agentgym.errors import UsageError, unknown
from agentgym.panel import Panel
from agentgym.registry import needs_extra
from agentgym.types import Observation, Outcome, Parsed, Task

PROMPT = """\
You use web pages. Each turn shows a task and the page as a tree, in which an element that can be \
used has its id before it, as in [12]; then you give one action. {actions}
Anything else changes nothing and costs a turn.
Write the action alone, or <think>your thoughts</think><action>the action</action>."""
NAME = "BrowserGym, which wants an environment of its own,"
"""What the extra brings."""
MAX_ACTION_CHARS = 2000
"""Longer actions are none."""


class BrowserGym(TurnEnv):
    """MiniWoB's tasks as BrowserGym plays them; derive from it for its other benchmarks."""

    benchmark: ClassVar[str] = "miniwob"
    """The module of `browsergym` that registers the tasks; their ids begin with its name."""
    actions: ClassVar[tuple[str, ...]] = ("miniwob_all",)
    """Which of BrowserGym's sets of actions there are."""
    seeds: ClassVar[Mapping[str, range]] = {
        "gen1/train": range(8),
        "gen1/unseen": range(1000, 1002),
    }
    """Split -> the seeds under which it has every task."""
    generated: ClassVar[str] = "BrowserGym's tasks under our own seeds"
    needs: ClassVar[str | None] = "extra browsergym in an environment of its own, and Chromium"

    def __init__(self, render_mode: str | None = None, *, image: bool = False) -> None:
        """Make the environment; the browser starts at the first reset.

        Args:
            image: whether observations have BrowserGym's screenshot.

        Raises:
            UsageError: BrowserGym is not installed.
        """
        super().__init__(render_mode)
        with needs_extra("browsergym", NAME):
            from browsergym.core.action.highlevel import HighLevelActionSet
        self._actions = HighLevelActionSet(
            list(self.actions), multiaction=False, strict=True, retry_with_force=True
        )
        del self._actions.action_set["noop"]
        described = self._actions.describe(with_long_description=False)
        self.system_prompt = PROMPT.format(actions=described.strip())
        self._image = image
        self._env: gymnasium.Env[dict[str, Any], str] | None = None
        self._over = False

    @classmethod
    def splits(cls) -> tuple[str, ...]:
        """The names of `seeds`."""
        return tuple(cls.seeds)

    @classmethod
    def panel(cls, split: str) -> Panel:
        """Every task of the benchmark under the split's first seed, then under the next.

        Raises:
            UsageError: there is no such split, or the benchmark is not installed.
        """
        if split not in cls.seeds:
            raise unknown("split", split, cls.seeds)
        with needs_extra("browsergym", NAME):
            importlib.import_module(f"browsergym.{cls.benchmark}")
        known = sorted(each for each in gymnasium.registry if each.startswith("browsergym/"))
        kinds = [each.removeprefix("browsergym/") for each in known]
        tasks = tuple(
            Task(id=f"{kind}-{seed}", split=split, seed=seed, public={"type": kind})
            for seed in cls.seeds[split]
            for kind in kinds
            if kind.startswith(f"{cls.benchmark}.")
        )
        name = find_name(cls) or f"{cls.__module__}:{cls.__qualname__}"
        return Panel(name=split, env=name, tasks=tasks)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin `options["task"]`, or the task of the default split that the seed picks.

        Raises:
            UsageError: BrowserGym, its benchmark or Chromium is missing.
        """
        task = self.pick_task(seed, options)
        self._over, self._score = False, 0.0
        with needs_extra("browsergym", NAME):
            importlib.import_module(f"browsergym.{self.benchmark}")
            self._show(call(partial(self._begin, task)))
        return self._observe(self._error), {"task_id": task.id}

    def _begin(self, task: Task) -> dict[str, Any]:
        """BrowserGym's first observation of a task."""
        self._leave()
        if "MINIWOB_URL" not in os.environ and self.benchmark == "miniwob":
            os.environ["MINIWOB_URL"] = f"{(miniwob.folder() / 'miniwob').as_uri()}/"
        self._env = gymnasium.make(
            f"browsergym/{task.public['type']}",
            disable_env_checker=True,
            action_mapping=self._actions.to_python_code,
        )
        return self._env.reset(seed=task.seed)[0]

    def parse(self, text: str) -> Parsed:
        """See `TurnEnv.parse`; whether the page has what an action names, only acting tells."""
        command = self._read(text)
        return Parsed(invalid="no_action") if command is None else Parsed(action=command)

    def _read(self, text: str) -> str | None:
        """The action in a model's text, as BrowserGym writes it; None where there is none."""
        command = read_command(text)
        if len(command) > MAX_ACTION_CHARS:
            return None
        try:
            code: str = self._actions.to_python_code(command)
        except Exception:  # its parser's, and what Python says of a literal that is none
            return None
        return code.rstrip("\n").rpartition("\n")[2]

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Carry out the action in a model's text.

        Raises:
            UsageError: the task has ended already.
        """
        if self._over:
            raise UsageError("the episode is over; call reset")
        command = self._read(action)
        if command is None:
            return self._observe("that was no action"), 0.0, False, False, {}
        assert self._env is not None, "reset comes first"
        shown, reward, terminated, truncated, _ = call(partial(self._env.step, command))
        self._show(shown)
        self._over = terminated or truncated
        self._score += float(reward)
        return self._observe(self._error), float(reward), terminated, truncated, {}

    def _show(self, shown: Mapping[str, Any]) -> None:
        """Take in what BrowserGym shows."""
        from browsergym.utils import obs

        self._goal: str = shown["goal"]
        self._error: str = shown["last_action_error"].partition("\n")[0]
        # Beside what BrowserGym leaves out: the pieces of a text that is there already, and
        # addresses, since MiniWoB's say where its files lie on this machine.
        self._page: str = obs.flatten_axtree_to_str(
            shown["axtree_object"],
            ignored_roles=(*obs.IGNORED_AXTREE_ROLES, "InlineTextBox"),
            ignored_properties=(*obs.IGNORED_AXTREE_PROPERTIES, "url"),
        )
        clickable = (
            bid for bid, how in shown["extra_element_properties"].items() if how["clickable"]
        )
        self._choices = tuple(f"click({bid!r})" for bid in clickable)
        self._picture = png_of(shown["screenshot"]) if self._image else None

    def _observe(self, error: str) -> Observation:
        told = [f"Task: {self._goal}", *([f"Note: {error}"] if error else [])]
        page = "The task is over." if self._over else self._page
        return Observation(
            text="\n".join([*told, "", page]),
            choices=() if self._over else self._choices,
            image=self._picture,
        )

    def outcome(self) -> Outcome:
        """The sum of BrowserGym's rewards; success is 1."""
        return Outcome(score=self._score, success=self._score >= 1.0)

    def _leave(self) -> None:
        """Close BrowserGym's environment, and with it its browser."""
        if self._env is not None:
            env, self._env = self._env, None
            env.close()

    def close(self) -> None:
        """Close the browser; Playwright itself ends with the process."""
        if self._env is not None:
            call(self._leave)


def png_of(pixels: Any) -> bytes:
    """A picture, `[height, width, RGB]`, as a PNG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()

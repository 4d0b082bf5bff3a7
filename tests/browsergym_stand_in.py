"""What stands in for the package BrowserGym where it is not installed, and one benchmark.

It has the names, arguments and observations that the adapter uses, written after version 0.14.3. A
page is some buttons, one of which is the right one. As Playwright does, it refuses to be called in
another thread than that it was started in, and in one that runs an event loop.
"""

from __future__ import annotations

import ast
import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest

from agentgym.envs.browsergym import thread
from agentgym.envs.browsergym.env import BrowserGym

KINDS = ("standin.another", "standin.press")
LOG = '\nCall log:\n  waiting for get_by_test_id("{bid}")'


class Buttons(BrowserGym):
    """Press the button that the task names."""

    benchmark = "standin"
    actions = ("bid",)
    seeds = {"gen1/train": range(3), "gen1/unseen": range(10, 11)}


class ActionSet:
    """In place of BrowserGym's `HighLevelActionSet`."""

    def __init__(
        self, subsets: list[str], *, multiaction: bool, strict: bool, retry_with_force: bool
    ) -> None:
        assert subsets == ["bid"] and strict and retry_with_force and not multiaction
        self.action_set = dict.fromkeys(("noop", "click", "fill"))

    def describe(self, *, with_long_description: bool) -> str:
        """The names of the actions."""
        return f"\n{len(self.action_set)} actions: {', '.join(self.action_set)}.\n"

    def to_python_code(self, action: str) -> str:
        """A program whose last line is the call."""
        found = ast.parse(action, mode="eval").body
        if not (isinstance(found, ast.Call) and isinstance(found.func, ast.Name)):
            raise ValueError("Received an empty action.")
        if found.func.id not in self.action_set:
            raise NameError(f"Invalid action type '{found.func.id}'.")
        return f"import playwright.sync_api\n\n{ast.unparse(found)}\n"


class ButtonsEnv(gymnasium.Env[dict[str, Any], str]):
    """In place of a `BrowserEnv`; 9 breaks the browser."""

    action_space = gymnasium.spaces.Text(1000)
    observation_space = gymnasium.spaces.Dict()
    opened: int = 0
    """How many browsers are open."""

    def __init__(self, action_mapping: Callable[[str], str]) -> None:
        self._mapping = action_mapping
        self._is_open = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Another right button by each seed."""
        refuse_thread()
        super().reset(seed=seed)
        self._right = int(self.np_random.integers(1, 4))
        if not self._is_open:
            self._is_open, ButtonsEnv.opened = True, ButtonsEnv.opened + 1
        return self._show(""), {}

    def step(self, action: str) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Press a button."""
        refuse_thread()
        code = self._mapping(action)
        call: Any = ast.parse(code.splitlines()[-1], mode="eval").body
        bid = ast.literal_eval(call.args[0])
        if bid == "9":
            raise RuntimeError("Target page, context or browser has been closed")
        if bid not in ("1", "2", "3"):
            error = f'ValueError: Could not find element with bid "{bid}"'
            return self._show(error + LOG.format(bid=bid)), 0, False, False, {}
        won = bid == str(self._right)
        return self._show(""), float(won), won, False, {}

    def _show(self, error: str) -> dict[str, Any]:
        names = {str(number): f"Button {number}" for number in (1, 2, 3)}
        nodes = [("StaticText", "", "'Buttons'"), ("LineBreak", "", "")]
        for bid, name in names.items():
            nodes += [("button", bid, f"{name!r}, url=here"), ("InlineTextBox", "", name)]
        return {
            "goal": f"Press Button {self._right}.",
            "last_action_error": error,
            "axtree_object": {"nodes": nodes},
            "extra_element_properties": {bid: {"clickable": bid != "0"} for bid in ("0", *names)},
            "screenshot": np.full((4, 6, 3), self._right, dtype=np.uint8),
        }

    def close(self) -> None:
        """Close the browser."""
        refuse_thread()
        if self._is_open:
            self._is_open, ButtonsEnv.opened = False, ButtonsEnv.opened - 1


def flatten(
    tree: dict[str, Any], *, ignored_roles: tuple[str, ...], ignored_properties: tuple[str, ...]
) -> str:
    """In place of `flatten_axtree_to_str`."""
    lines = []
    for role, bid, name in tree["nodes"]:
        if role not in ignored_roles:
            text, _, address = name.partition(", url=")
            known = f", url={address}" if address and "url" not in ignored_properties else ""
            lines.append(f"{f'[{bid}] ' if bid else ''}{role} {text}{known}")
    return "\n".join(lines)


_started: list[int] = []
"""The thread that Playwright was started in."""


def refuse_thread() -> None:
    """Raise in a thread in which Playwright would."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise RuntimeError("using Playwright Sync API inside the asyncio loop")
    if not _started:
        _started.append(threading.get_ident())
    if _started != [threading.get_ident()]:
        raise RuntimeError("cannot switch to a different thread")


def modules(chromium: Any) -> dict[str, ModuleType]:
    """BrowserGym's modules, by name."""
    names = ("", ".core", ".core.action", ".core.action.highlevel", ".utils", ".utils.obs")
    found: dict[str, Any] = {f"browsergym{name}": ModuleType(f"browsergym{name}") for name in names}
    for name, module in found.items():
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(found[parent], child, module)

    def playwright() -> SimpleNamespace:
        refuse_thread()
        return SimpleNamespace(chromium=chromium)

    found["browsergym.core"]._set_global_playwright = lambda playwright: _started.clear()
    found["browsergym.core"]._get_global_playwright = playwright
    found["browsergym.core.action.highlevel"].HighLevelActionSet = ActionSet
    found["browsergym.utils.obs"].flatten_axtree_to_str = flatten
    found["browsergym.utils.obs"].IGNORED_AXTREE_ROLES = ["LineBreak"]
    found["browsergym.utils.obs"].IGNORED_AXTREE_PROPERTIES = ("editable",)
    found["browsergym.standin"] = ModuleType("browsergym.standin")
    return found


@contextmanager
def standing_in(chromium: Any) -> Iterator[None]:
    """Stand in for BrowserGym, its browser being this."""
    with pytest.MonkeyPatch.context() as patch:
        for name, module in modules(chromium).items():
            patch.setitem(sys.modules, name, module)
        patch.setattr(thread, "_threads", {})
        for kind in KINDS:
            gymnasium.register(f"browsergym/{kind}", entry_point=f"{__name__}:ButtonsEnv")
        try:
            yield
        finally:
            for kind in KINDS:
                del gymnasium.registry[f"browsergym/{kind}"]

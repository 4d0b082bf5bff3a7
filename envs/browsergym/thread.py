"""The thread in which BrowserGym lives.

It drives one Playwright a process by calls that wait, and those work in the thread alone that made
them, and in none that runs an event loop.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from agentgym.registry import load

T = TypeVar("T")

_threads: dict[int, ThreadPoolExecutor] = {}
"""By process: a fork has its parent's memory, but neither its threads nor its browsers."""


def call(function: Callable[[], T]) -> T:
    """What a function gives or raises, run in this process's thread.

    Raises:
        UsageError: there is no Chromium.
    """
    thread = _threads.get(os.getpid())
    if thread is None:
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="agentgym-browsergym")
        thread.submit(start_playwright).result()
        _threads[os.getpid()] = thread
    return thread.submit(function).result()


def start_playwright() -> None:
    """Start this process's Playwright, with a Chromium that is there.

    BrowserGym has an argument for the program of the page's browser, but none for the chat's. So
    where Playwright's own build was not downloaded, every launch is told of another.
    """
    from browsergym import core

    core._set_global_playwright(None)  # a fork has its parent's
    chromium: Any = core._get_global_playwright().chromium
    if not Path(chromium.executable_path).exists():
        program = load("agentgym.sandboxes.chromium:find_chromium")()
        chromium.launch = partial(chromium.launch, executable_path=program)

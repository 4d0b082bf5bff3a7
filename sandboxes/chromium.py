"""The program: this process's Chromium, and the thread in which Playwright lives."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from playwright.async_api import Browser as Window
from playwright.async_api import Error, async_playwright

from agentgym.errors import DeadlineError, SandboxError, UsageError
from agentgym.sandboxes.scratch import Scratch

PROGRAM = "AGENTGYM_CHROMIUM"
"""The environment variable that names a browser."""
USUAL = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")
"""The shell has no windows, and opens a profile for a tab in a fifth of the time."""
NOWHERE = "http://127.0.0.1:9"
"""What the browser itself has for a proxy: nothing answers there."""
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    # Otherwise WebRTC sends datagrams, which no proxy sees.
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
)
UNPACED = "--disable-frame-rate-limit"
"""The mouse's moves reach a page with its next frame, for which they would wait up to 16 ms."""

DRIVER = "--max-semi-space-size=1"
"""Of Playwright's Node program, in MB: with more it keeps what it is done with, 50 MB in a few
hundred episodes."""

T = TypeVar("T")


def find_chromium() -> str:
    """The browser's program: `$AGENTGYM_CHROMIUM`, else the first that is installed.

    Raises:
        UsageError: there is none.
    """
    own = os.environ.get(PROGRAM)
    if own:
        if shutil.which(own) is None:
            raise UsageError(f"{PROGRAM} names '{own}', which is no program")
        return own
    found = next(filter(None, map(shutil.which, USUAL)), None)
    if found is None:
        raise UsageError(
            f"there is no browser ({', '.join(USUAL)}): install the extra gui and a Chromium "
            f"(Debian: chromium-headless-shell), or name one in {PROGRAM}"
        )
    return found


class Program:
    """A browser of this process, and the thread in which Playwright lives."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self._loop: asyncio.AbstractEventLoop | None = None
        self.window: Window | None = None
        self._scratch: Scratch | None = None

    def start(self, timeout_s: float) -> None:
        """Start it, unless it runs."""
        # The other browser of this process would change the same variables.
        with _starting.setdefault(os.getpid(), threading.Lock()):
            if self.window is not None and self.window.is_connected():
                return
            path = find_chromium()
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                thread = threading.Thread(
                    target=self._loop.run_forever, name="agentgym-browser", daemon=True
                )
                thread.start()
            self._scratch = Scratch()
            self.window = self.wait(self._launch(path, self._scratch), timeout_s, "the browser")

    @property
    def scratch(self) -> Path:
        """Where the browser keeps its files."""
        assert self._scratch is not None, "start comes first"
        return self._scratch.folder

    async def _launch(self, path: str, scratch: Scratch) -> Window:
        options = f"{DRIVER} {os.environ.get('NODE_OPTIONS', '')}"
        with _environment(TMPDIR=str(scratch.folder), NODE_OPTIONS=options):
            playwright = await async_playwright().start()
        root = ["--no-sandbox"] if os.getuid() == 0 else []  # Chromium's own refuses to run as root
        return await playwright.chromium.launch(
            executable_path=path,
            args=[*ARGUMENTS, *self._arguments, *root],
            proxy={"server": NOWHERE, "bypass": "<-loopback>"},
            handle_sigint=False,
        )

    def wait(self, waiting: Coroutine[Any, Any, T], timeout_s: float, what: str) -> T:
        """What a coroutine gives, run in the browser's thread.

        Raises:
            DeadlineError: it takes longer.
            SandboxError: Playwright raised.
        """
        assert self._loop is not None, "start comes first"
        bounded = asyncio.wait_for(waiting, timeout_s)
        try:
            return asyncio.run_coroutine_threadsafe(bounded, self._loop).result()
        except TimeoutError as error:
            raise DeadlineError(f"browser: {what} took longer than {timeout_s:g} s") from error
        except Error as error:
            raise SandboxError(f"browser: {what}: {error.message}") from error


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """What is started meanwhile has these variables."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_starting: dict[int, threading.Lock] = {}
"""By process: held while one of its browsers starts."""
_programs: dict[tuple[int, bool], Program] = {}
"""By process: a fork has its parent's memory, but neither its threads nor its browser."""


def program_of_process(*, is_paced: bool) -> Program:
    """The one of this process for such pages.

    Args:
        is_paced: whether they have real time and move by themselves, so that the screen's pace is
            what keeps them from taking a whole core.
    """
    arguments = () if is_paced else (UNPACED,)
    return _programs.setdefault((os.getpid(), is_paced), Program(*arguments))

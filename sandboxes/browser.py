"""Chromium, driven by Playwright: one browser a process, one profile a tab, every call bounded.

Playwright is asynchronous and lives in a thread of its own; a tab's methods wait for it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from playwright.async_api import Browser as Window
from playwright.async_api import (
    BrowserContext,
    Dialog,
    Download,
    Error,
    FileChooser,
    Page,
    async_playwright,
)
from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt

from agentgym.browser import Gesture, Sites, Tab
from agentgym.errors import DeadlineError, SandboxError, UsageError
from agentgym.sandboxes.gate import Gate
from agentgym.sandboxes.scratch import Scratch
from agentgym.types import Json

PROGRAM = "AGENTGYM_CHROMIUM"
"""The environment variable that names a browser."""
USUAL = ("chromium", "chromium-browser", "google-chrome", "chrome")
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
QUIET = (
    "() => new Promise(done => {"
    "const ports = new MessageChannel(); ports.port1.onmessage = () => done(0);"
    "ports.port2.postMessage(0)})"
)
"""Gives an answer once the page has run what it had queued, such as the sending of a form."""
WATCH = (
    "if (window.navigation) navigation.addEventListener('navigate', event => {"
    "if (!event.hashChange && !event.downloadRequest) window.__leaving = true})"
)
"""Marks a page that is about to be left."""
DRAG_STEPS = 6
"""Moves between the ends of a drag: scripts want to see some."""
LEAVE_POLL_S = 0.005
MAX_NOTES = 5
"""Of more, the last ones are told."""

T = TypeVar("T")


class Deadlines(BaseModel):
    """How many seconds each thing may take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    launch_s: PositiveFloat = 60.0
    open_s: PositiveFloat = 15.0
    call_s: PositiveFloat = 10.0
    act_s: PositiveFloat = 15.0
    """All gestures of one `act`, and the page's answer to them."""
    settle_s: PositiveFloat = 2.0
    """So long is a page waited for that an action leads to; what is there then is shown."""
    close_s: PositiveFloat = 10.0


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
            f"(Debian: chromium), or name one in {PROGRAM}"
        )
    return found


class Chromium(Tab):
    """A tab of this process's Chromium."""

    def __init__(
        self,
        *,
        sites: Sites,
        script: str = "",
        width: PositiveInt = 800,
        height: PositiveInt = 600,
        scale: PositiveInt = 1,
        tick_ms: int | None = None,
        deadlines: Deadlines | None = None,
    ) -> None:
        """Open one, on an empty page.

        Args:
            sites: what it may reach.
            script: runs in every page before the page's own.
            width, height: of the window, in CSS pixels.
            scale: pixels of a picture for one of these.
            tick_ms: so much time passes for the page in every `act`, and none between; None is
                real time.

        Raises:
            UsageError: there is no browser, or `sites` is wrong.
        """
        self._deadlines = deadlines or Deadlines()
        self.gate = Gate(sites)
        self._program = program_of_process()
        self._inner = _Inner(
            self.gate,
            _Look(script=script, width=width, height=height, scale=scale, tick_ms=tick_ms),
            self._deadlines,
        )
        self._closed = False
        self._program.start(self._deadlines.launch_s)
        try:
            self._wait(self._inner.begin(self._program), self._deadlines.open_s, "a new tab")
        except BaseException:
            self.close()
            raise

    def open(self, address: str) -> None:
        """See `Tab.open`."""
        self._wait(self._inner.open(address), self._deadlines.open_s, f"opening '{address}'")

    def call(self, function: str, argument: Json = None) -> Any:
        """See `Tab.call`."""
        waiting = self._inner.call(function, argument)
        return self._wait(waiting, self._deadlines.call_s, "a call in the page")

    def act(self, *gestures: Gesture) -> tuple[str, ...]:
        """See `Tab.act`."""
        kinds = ", ".join(each.kind for each in gestures)
        return self._wait(self._inner.act(gestures), self._deadlines.act_s, kinds)

    def picture(self) -> bytes:
        """See `Tab.picture`."""
        return self._wait(self._inner.picture(), self._deadlines.call_s, "a picture")

    def close(self) -> None:
        """See `Tab.close`."""
        if not self._closed:
            self._closed = True
            # A browser that hangs or is gone has nothing left to close.
            with suppress(SandboxError, DeadlineError):
                self._wait(self._inner.end(), self._deadlines.close_s, "closing")

    def _wait(self, waiting: Coroutine[Any, Any, T], timeout_s: float, what: str) -> T:
        return self._program.wait(waiting, timeout_s, what)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    script: str
    width: int
    height: int
    scale: int
    tick_ms: int | None


class Program:
    """The browser of this process, and the thread in which Playwright lives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.window: Window | None = None
        self._scratch: Scratch | None = None

    def start(self, timeout_s: float) -> None:
        """Start it, unless it runs."""
        with self._lock:
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
        with scratch.is_temporary():
            playwright = await async_playwright().start()
        root = ["--no-sandbox"] if os.getuid() == 0 else []  # Chromium's own refuses to run as root
        return await playwright.chromium.launch(
            executable_path=path,
            args=[*ARGUMENTS, *root],
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


_programs: dict[int, Program] = {}
"""By process: a fork has its parent's memory, but neither its threads nor its browser."""


def program_of_process() -> Program:
    """The one of this process."""
    return _programs.setdefault(os.getpid(), Program())


class _Inner:
    """A tab as the browser's thread has it."""

    def __init__(self, gate: Gate, look: _Look, deadlines: Deadlines) -> None:
        self._gate = gate
        self._look = look
        self._deadlines = deadlines
        self._notes: deque[str] = deque(maxlen=MAX_NOTES)
        self._context: BrowserContext | None = None
        self._page: Page | None = None
        self._closing: set[asyncio.Future[Any]] = set()

    @property
    def page(self) -> Page:
        assert self._page is not None, "begin comes first"
        return self._page

    async def begin(self, program: Program) -> None:
        assert program.window is not None
        port = await self._gate.open()
        self._context = await program.window.new_context(
            viewport={"width": self._look.width, "height": self._look.height},
            device_scale_factor=self._look.scale,
            proxy={"server": f"http://127.0.0.1:{port}", "bypass": "<-loopback>"},
            accept_downloads=False,
            service_workers="block",
            locale="en-US",
            timezone_id="UTC",
            reduced_motion="reduce",
        )
        self._context.set_default_timeout(1000 * self._deadlines.open_s)
        await self._context.add_init_script(WATCH)
        if self._look.script:
            await self._context.add_init_script(self._look.script)
        if self._look.tick_ms is not None:
            await self._context.clock.install(time=0)
            await self._context.clock.pause_at(1000)
        page = await self._context.new_page()
        page.on("dialog", self._on_dialog)
        page.on("download", self._on_download)
        page.on("filechooser", self._on_file_chooser)
        self._context.on("page", self._on_page)
        self._page = page

    async def open(self, address: str) -> None:
        answer = await self.page.goto(address, wait_until="load")
        if answer is not None and not answer.ok:
            raise SandboxError(f"browser: '{address}' answers with status {answer.status}")

    async def call(self, function: str, argument: Json) -> Any:
        return await self.page.evaluate(function, argument)

    async def act(self, gestures: tuple[Gesture, ...]) -> tuple[str, ...]:
        for gesture in gestures:
            await self._do(gesture)
        await self._settle()
        notes = tuple(self._notes)
        self._notes.clear()
        return notes

    async def _do(self, gesture: Gesture) -> None:
        mouse, keyboard = self.page.mouse, self.page.keyboard
        if gesture.kind == "click":
            await mouse.click(gesture.x, gesture.y)
        elif gesture.kind == "drag":
            await mouse.move(gesture.x, gesture.y)
            await mouse.down()
            await mouse.move(gesture.to_x, gesture.to_y, steps=DRAG_STEPS)
            await mouse.up()
        elif gesture.kind == "type":
            await keyboard.type(gesture.text)
        elif gesture.kind == "press":
            await keyboard.press(gesture.text)
        else:
            with suppress(Error):  # the page may be gone before it answers
                await self.page.evaluate("() => history.back()")

    async def _settle(self) -> None:
        """Let the page run what is due, and wait for the page that it leads to."""
        if await self._is_leaving():
            await self._arrive()
        if self._look.tick_ms is not None:
            assert self._context is not None
            await self._context.clock.run_for(self._look.tick_ms)
            if await self._is_leaving():
                await self._arrive()

    async def _is_leaving(self) -> bool:
        try:
            await self.page.evaluate(QUIET)
            return bool(await self.page.evaluate("() => window.__leaving === true"))
        except Error as error:
            if "crash" in error.message.lower() or self.page.is_closed():
                raise
            return True  # the page was left while it was asked

    async def _arrive(self) -> None:
        """Wait for the next page; one that does not come, a download say, is waited for in vain."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._deadlines.settle_s
        ready = "() => window.__leaving !== true && document.readyState === 'complete'"
        while loop.time() < end:
            try:
                if await asyncio.wait_for(self.page.evaluate(ready), end - loop.time()):
                    return
            except TimeoutError:
                return
            except Error as error:
                if "crash" in error.message.lower() or self.page.is_closed():
                    raise
            await asyncio.sleep(LEAVE_POLL_S)
        with suppress(Error):
            await self.page.evaluate("() => {window.__leaving = false}")

    async def picture(self) -> bytes:
        return await self.page.screenshot(animations="disabled", caret="hide")

    async def end(self) -> None:
        if self._context is not None:
            with suppress(Error):
                await self._context.close()
        await self._gate.close()

    def _later(self, waiting: Coroutine[Any, Any, Any]) -> None:
        """Run it beside the call that is under way; what it raises interests nobody."""

        async def quietly() -> None:
            with suppress(Error):
                await waiting

        task = asyncio.ensure_future(quietly())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _on_dialog(self, dialog: Dialog) -> None:
        self._notes.append(f'the page said: "{dialog.message[:200]}"')
        self._later(dialog.dismiss())

    def _on_download(self, download: Download) -> None:
        self._notes.append("a download was refused")
        self._later(download.cancel())

    def _on_file_chooser(self, _: FileChooser) -> None:
        self._notes.append("the page asked for a file and got none")

    def _on_page(self, page: Page) -> None:
        if page is not self._page:
            self._notes.append("a new window was closed")
            self._later(page.close())

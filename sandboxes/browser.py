"""Chromium, driven by Playwright: one profile a tab, every call bounded.

A process has one browser for pages in real time, and one for pages whose time is ours.

Playwright is asynchronous and lives in a thread of its own; a tab's methods wait for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from playwright.async_api import (
    BrowserContext,
    Dialog,
    Download,
    Error,
    FileChooser,
    Page,
    Request,
    Response,
)
from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt

from agentgym.browser import Gesture, Sites, Tab
from agentgym.errors import DeadlineError, SandboxError
from agentgym.sandboxes.chromium import Program, program_of_process
from agentgym.sandboxes.gate import Gate
from agentgym.types import Json

DRAWN = (
    "if (window.__frame && !window.__drawn) {"
    "await new Promise(done => window.__frame(done)); window.__drawn = true}"
)
"""Waits for a page's first picture: only with it does what has `autofocus` get the focus."""
QUIET = (
    "async ([ms, argument]) => {"
    "if (ms) await __pwClock.controller.runFor(ms);"
    "await new Promise(done => {"
    "const ports = new MessageChannel(); ports.port1.onmessage = done;"
    "ports.port2.postMessage(0)});"
    "if (window.__leaving === true) return {isLeaving: true};"
    f"if (document.readyState === 'complete') {{{DRAWN}}}"
    "if (window.__leaving === true) return {isLeaving: true};"
    "try {return {value: await (FUNCTION\n)(argument)}}"
    "catch (error) {return {error: String(error)}}}"
)
"""Lets so much time pass, and gives an answer once the page has run what it had queued, such as the
sending of a form: that it is about to be left, or else what a function gives then, which saves a
way to the page and back. Playwright's own call for the clock would run again, with all before it,
in every page that is opened later: these would begin at another time."""
NOTHING = "() => null"
READY = (
    "async () => {"
    "if (window.__leaving === true || document.readyState !== 'complete') return false;"
    f"{DRAWN} return true}}"
)
"""Whether the page that an action led to is there."""
WATCH = (
    "if (window === top) window.__frame = requestAnimationFrame.bind(window);"
    "if (window.navigation) navigation.addEventListener('navigate', event => {"
    "if (!event.hashChange && !event.downloadRequest) window.__leaving = true});"
    "addEventListener('dragstart', event => {"
    "if (event.target.type === 'password') event.preventDefault()}, true)"
)
"""Marks a page that is about to be left, and keeps the browser's own frames, since the page's clock
may be ours; a frame within the page may never be drawn. And Chromium lets no password be dragged
out of its field, but says that it does: Playwright would wait for the rest."""
DRAG_STEPS = 6
"""Moves between the ends of a drag: scripts want to see some."""
HOLD = (
    "() => {window.__held = [...document.querySelectorAll('*')]"
    ".filter(each => each.scrollHeight > each.clientHeight || each.scrollWidth > each.clientWidth)"
    ".map(each => [each, each.scrollLeft, each.scrollTop])}"
)
"""Before a drag: where everything is scrolled to."""
RELEASE = (
    "() => {if (getSelection().type === 'Range')"
    " for (const [each, left, top] of window.__held || [])"
    " each.scrollTo({left, top, behavior: 'instant'})}"
)
"""After one that selects text: that scrolls by itself, the farther the longer the mouse is held."""
LEAVE_POLL_S = 0.005
NO_PAGE = (204, 205)
"""Statuses by which a server leaves the page as it is."""
ABORTED = "net::ERR_ABORTED"
"""Why a request failed that the browser gave up: a download, or one that another has replaced."""
MAX_NOTES = 5
"""Of more, the last ones are told."""

T = TypeVar("T")


class Deadlines(BaseModel):
    """How many seconds each thing may take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    launch_s: PositiveFloat = 60.0
    open_s: PositiveFloat = 15.0
    call_s: PositiveFloat = 10.0
    act_s: PositiveFloat = 30.0
    """All gestures of one `act`, and the page's answer to them."""
    settle_s: PositiveFloat = 5.0
    """So long may a page load that an action leads to, once its server has answered; what is there
    then is shown."""
    close_s: PositiveFloat = 10.0


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
            tick_ms: so much time passes for the page in every `act` and after every `leave`, and
                none between; None is real time.

        Raises:
            UsageError: there is no browser, or `sites` is wrong.
        """
        self._deadlines = deadlines or Deadlines()
        self.gate = Gate(sites)
        self._program = program_of_process(is_paced=tick_ms is None)
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

    def leave(self) -> None:
        """See `Tab.leave`."""
        self._wait(self._inner.leave(), self._deadlines.call_s, "leaving")

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
        if self._inner.has_left:  # with that the page has to deal first
            timeout_s += self._deadlines.act_s
        return self._program.wait(waiting, timeout_s, what)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    script: str
    width: int
    height: int
    scale: int
    tick_ms: int | None


class _Inner:
    """A tab as the browser's thread has it."""

    def __init__(self, gate: Gate, look: _Look, deadlines: Deadlines) -> None:
        self._gate = gate
        self._look = look
        self._deadlines = deadlines
        self._notes: deque[str] = deque(maxlen=MAX_NOTES)
        self._context: BrowserContext | None = None
        self._page: Page | None = None
        self._asked: Request | None = None
        """The last request for a page."""
        self._is_unanswered = self._none_comes = False
        """How that one stands: nothing has come yet, or it is known that it will be no page."""
        self.has_left = False
        """Whether the mouse left the page, which has not yet dealt with it."""
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
        page.on("request", self._on_request)
        page.on("response", self._on_response)
        page.on("requestfailed", self._on_failure)
        self._context.on("page", self._on_page)
        self._page = page

    async def open(self, address: str) -> None:
        await self._end_leaving()
        answer = await self.page.goto(address, wait_until="load")
        if answer is not None and not answer.ok:
            raise SandboxError(f"browser: '{address}' answers with status {answer.status}")
        with suppress(Error):  # it may lead on to another at once
            await self.page.evaluate(f"async () => {{{DRAWN}}}")

    async def call(self, function: str, argument: Json) -> Any:
        if self.has_left:  # nothing is due before time passes
            self.has_left = False
            told = await self._let(self._look.tick_ms or 0, function, argument)
            self._notes.clear()  # of a page that is done with
            if "error" in told:
                raise Error(told["error"])
            if "isLeaving" not in told:
                return told.get("value")
            await self._arrive()
            self._notes.clear()
        return await self.page.evaluate(function, argument)

    async def leave(self) -> None:
        self._is_unanswered = self._none_comes = False
        await self.page.mouse.move(-1, -1)
        self.has_left = True

    async def act(self, gestures: tuple[Gesture, ...]) -> tuple[str, ...]:
        await self._end_leaving()
        self._is_unanswered = self._none_comes = False
        for gesture in gestures:
            await self._do(gesture)
        for passing_ms in (0, self._look.tick_ms or 0):
            if "isLeaving" in await self._let(passing_ms):
                await self._arrive()
        notes = tuple(self._notes)
        self._notes.clear()
        return notes

    async def _do(self, gesture: Gesture) -> None:
        mouse, keyboard = self.page.mouse, self.page.keyboard
        if gesture.kind == "click":
            await mouse.click(gesture.x, gesture.y)
        elif gesture.kind == "drag":
            await mouse.move(gesture.x, gesture.y)
            await self.page.evaluate(HOLD)
            await mouse.down()
            await mouse.move(gesture.to_x, gesture.to_y, steps=DRAG_STEPS)
            await mouse.up()
            with suppress(Error):  # the page may be gone before it answers
                await self.page.evaluate(RELEASE)
        elif gesture.kind == "type":
            await keyboard.type(gesture.text)
        elif gesture.kind == "press":
            await keyboard.press(gesture.text)
        else:
            with suppress(Error):  # the page may be gone before it answers
                await self.page.evaluate("() => history.back()")

    async def _end_leaving(self) -> None:
        if self.has_left:
            await self.call(NOTHING, None)

    async def _let(self, passing_ms: int, function: str = NOTHING, argument: Json = None) -> Any:
        """See `QUIET`; the frames in the page come before it."""
        try:
            for frame in self.page.frames[1:] if passing_ms else ():
                with suppress(Error):  # it may be gone
                    await frame.evaluate(QUIET.replace("FUNCTION", NOTHING), [passing_ms, None])
            quiet = QUIET.replace("FUNCTION", function)
            return await self.page.evaluate(quiet, [passing_ms, argument])
        except Error as error:
            if "crash" in error.message.lower() or self.page.is_closed():
                raise
            return {"isLeaving": True}  # the page was left while it was asked

    async def _arrive(self) -> None:
        """Wait for the next page, unless none comes: of a download, say."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._deadlines.settle_s
        while loop.time() < end and not self._none_comes:
            try:
                if await asyncio.wait_for(self.page.evaluate(READY), end - loop.time()):
                    return
            except TimeoutError:
                if not self._is_unanswered:
                    return
            except Error as error:
                if "crash" in error.message.lower() or self.page.is_closed():
                    raise
            await asyncio.sleep(LEAVE_POLL_S)
            if self._is_unanswered:  # which `act_s` bounds: a slow server is no page's fault
                end = loop.time() + self._deadlines.settle_s
        with suppress(Error):
            await self.page.evaluate("() => {window.__leaving = false}")

    async def picture(self) -> bytes:
        await self._end_leaving()
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

    def _on_request(self, request: Request) -> None:
        if request.is_navigation_request() and request.frame == self.page.main_frame:
            self._asked = request
            self._is_unanswered, self._none_comes = True, False

    def _on_response(self, response: Response) -> None:
        if response.request == self._asked:
            self._is_unanswered, self._none_comes = False, response.status in NO_PAGE

    def _on_failure(self, request: Request) -> None:
        if request == self._asked:
            self._is_unanswered, self._none_comes = False, request.failure == ABORTED

    def _on_dialog(self, dialog: Dialog) -> None:
        self._notes.append(f'the page said: "{dialog.message[:200]}"')
        self._later(dialog.dismiss())

    def _on_download(self, download: Download) -> None:
        self._is_unanswered, self._none_comes = False, True
        self._notes.append("a download was refused")
        self._later(download.cancel())

    def _on_file_chooser(self, _: FileChooser) -> None:
        self._notes.append("the page asked for a file and got none")

    def _on_page(self, page: Page) -> None:
        if page is not self._page:
            self._notes.append("a new window was closed")
            self._later(page.close())

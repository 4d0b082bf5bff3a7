"""MiniWoB's pages, from the package `miniwob`: seeds, instructions and rewards by their protocol.

Source: MiniWoB++ (arXiv:1802.08802). Deviations: time stands still between turns and a second of
it passes in each, so the pages' own limit of ten seconds is off, and the reward is the one before
it decays with time.
"""

from __future__ import annotations

import importlib.util
import mimetypes
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from agentgym.browser import Answer, Asked, Tab
from agentgym.envs.gui.acting import LOOK, View, view
from agentgym.envs.gui.sites import Frame, Verdict, verdict
from agentgym.errors import UsageError
from agentgym.types import Task

ORIGIN = "http://miniwob.test"
AROUND = "#query, #reward-display, #click-canvas, #sync-task-cover"
"""What is no part of a task's page: the instruction, which is told apart, and the frame."""
MAX_MS = 2_000_000_000
"""Browsers take no longer delay."""
TICK_MS = 63 * 16
"""A second, in whole frames of the page's clock: a motion that begins anew looks the same."""
LOADED = r"""async () => {
    const found = new Set();
    for (const sheet of document.styleSheets) {
        for (const rule of sheet.cssRules) {
            for (const [, address] of rule.cssText.matchAll(/url\("?([^")]+)"?\)/g)) {
                found.add(new URL(address, sheet.href || document.baseURI).href);
            }
        }
    }
    const style = new CSSStyleSheet();
    style.replaceSync("#sync-task-cover {display: none !important}");
    document.adoptedStyleSheets.push(style);
    window.__pictures = [...found].map(src => Object.assign(new Image(), {src}));
    await Promise.all(window.__pictures.map(each => each.decode().catch(() => null)));
}"""
"""Has the pictures that the page's style names, lest those of what a task adds to it come late, and
with them the size of what they are in; and when a task has ended, the page stays in sight."""
BEGIN = f"""seed => {{
    Math.seedrandom(seed);
    core.EPISODE_MAX_TIME = {MAX_MS};
    __agentgym.reset({AROUND!r});
    core.startEpisodeReal();
    for (const name of ["reward-display", "click-canvas"]) {{
        document.getElementById(name).style.display = "none";
    }}
    for (const each of document.querySelectorAll("*")) {{
        if (each.scrollTop || each.scrollLeft) each.scrollTo(0, 0);
    }}
    // Where the focus was last is where Tab goes on.
    const start = document.createElement("span");
    start.tabIndex = -1;
    document.body.prepend(start);
    start.focus();
    start.remove();
    const told = core.getUtterance();
    const icons = [...document.querySelectorAll("#query *")]
        .filter(each => !each.textContent.trim() && each.classList.length)
        .map(each => " ." + [...each.classList].join("."));
    return [(typeof told === "string" ? told : told.utterance) + icons.join(""), {LOOK}];
}}"""
JUDGE = f"() => [WOB_DONE_GLOBAL ? WOB_RAW_REWARD_GLOBAL : null, {LOOK}]"
STICKY = frozenset(
    """
    book-flight book-flight-nodelay chase-circle click-pie drag-cube drag-items drag-items-grid
    drag-sort-numbers form-sequence-3 hover-shape moving-items scroll-text scroll-text-2
    search-engine simon-says stock-market use-autocomplete use-autocomplete-nodelay use-colorwheel
    use-colorwheel-2
    """.split()
)
"""Pages that remember the episode before, so that each begins with loading them anew."""


@cache
def folder() -> Path:
    """Where the package keeps its pages.

    Raises:
        UsageError: it is not installed.
    """
    spec = importlib.util.find_spec("miniwob")  # importing it would ask for Selenium
    if spec is None or spec.origin is None:
        raise UsageError("MiniWoB's pages are not there: install the extra gui")
    return Path(spec.origin).parent / "html"


def serve(asked: Asked) -> Answer:
    """A file of the package."""
    return serve_file(folder(), asked)


def serve_file(root: Path, asked: Asked) -> Answer:
    """A file below a folder, and nothing else."""
    path = (root / unquote(asked.path.partition("?")[0]).lstrip("/")).resolve()
    if asked.method != "GET" or not path.is_relative_to(root.resolve()) or not path.is_file():
        return Answer(status=404, body=b"no such page")
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Answer(body=path.read_bytes(), media_type=kind, keeps=True)


class MiniWoB:
    """One of MiniWoB's tasks at a time."""

    frame = Frame(sites={ORIGIN: serve}, width=240, height=240, scale=2, tick_ms=TICK_MS)

    def __init__(self) -> None:
        self._loaded: tuple[Tab, str] | None = None

    def begin(self, tab: Tab, task: Task) -> tuple[str, View]:
        """See `Place.begin`."""
        folder()  # says what to install
        page = str(task.public["type"])
        if self._loaded != (tab, page) or page in STICKY:
            self._loaded = None
            tab.open(f"{ORIGIN}/miniwob/{page}.html")
            tab.call(LOADED)
            self._loaded = (tab, page)
        instruction, shown = tab.call(BEGIN, str(task.seed))
        return str(instruction), view(shown)

    def judge(self, tab: Tab) -> tuple[Verdict, View]:
        """See `Place.judge`; success is a reward above 0."""
        reward, shown = tab.call(JUDGE)
        return verdict(reward), view(shown)

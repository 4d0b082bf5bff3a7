"""WebShop's pages: those of `agentgym serve-webshop`, answered in this process."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl

from agentgym.browser import Answer, Asked, Tab
from agentgym.envs import webshop
from agentgym.envs.gui.acting import View, look
from agentgym.envs.gui.experts.reading import Scene, click, fill
from agentgym.envs.gui.sites import Frame, Verdict
from agentgym.envs.webshop.visit import Visit
from agentgym.types import Task

ORIGIN = "http://shop.test"
STYLE = Path(webshop.__path__[0]) / "shop.css"


class Shop:
    """A visit to the shop at a time; a purchase ends the task, and its reward is WebShop's."""

    def __init__(self) -> None:
        self.frame = Frame(sites={ORIGIN: self._answer}, width=800, height=600)
        self._visit: Visit | None = None

    @property
    def visit(self) -> Visit:
        """The one under way."""
        assert self._visit is not None, "begin comes first"
        return self._visit

    def _answer(self, asked: Asked) -> Answer:
        """The visit's page, or what leads back to it once something was done there."""
        if asked.path == "/shop.css":
            return Answer(body=STYLE.read_bytes(), media_type="text/css")
        if asked.path != "/" or asked.method not in ("GET", "POST"):
            return Answer(status=404, body=b"no such page")
        if asked.method == "POST":
            form = asked.body.decode("utf-8", "replace")
            self.visit.act(dict(parse_qsl(form, keep_blank_values=True)))
            return Answer(status=303, location="/")
        return Answer(body=self.visit.observation.text.encode("utf-8", "replace"))

    def begin(self, tab: Tab, task: Task) -> tuple[str, View]:
        """See `Place.begin`."""
        self._visit = Visit.begin(task, shop="small")
        tab.open(f"{ORIGIN}/")
        return str(task.public["instruction"]), look(tab)

    def judge(self, tab: Tab) -> tuple[Verdict, View]:
        """See `Place.judge`; success is a reward of 1."""
        visit = self.visit
        said = Verdict(
            reward=visit.reward, over=visit.terminated, success=visit.env.outcome().success
        )
        return said, look(tab)

    def expert_action(self, shown: str) -> str:
        """What WebShop's insider would do, by the numbers of the page."""
        return translate(self.visit.env.expert_action(), shown)


def translate(action: str, shown: str) -> str:
    """An action of WebShop's text modes as one on the page; `done` where the page lacks it."""
    scene = Scene(text=shown, did=())
    kind, _, argument = action.removesuffix("]").partition("[")
    if kind == "search":
        (field,) = scene.all("searchbox") or (None,)
        if field is None:
            return click(scene.find("Back to Search", "button"))
        return fill(field, argument) or click(scene.find("Search", "button"))
    offers = [each for each in scene.all("button") if each.name.lower() == argument.lower()]
    return click(offers[0] if offers else None)

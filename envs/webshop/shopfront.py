"""The shop as web pages: what `agentgym serve-webshop` answers.

Every visit is an environment of its own, and a page is its observation; so pages, state and reward
are those of the text modes. Buttons post, and an answer leads back to the visit's page.
"""

from __future__ import annotations

import secrets
from html import escape
from pathlib import Path
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from agentgym.envs.webshop.env import WebShop
from agentgym.envs.webshop.markup import document
from agentgym.envs.webshop.visit import Visit
from agentgym.panel import Panel
from agentgym.serving.guard import FORM_HEADERS, Guard
from agentgym.serving.loopback import serve
from agentgym.types import Task

MAX_BODY_BYTES = 64 << 10
"""A longer request is refused."""
MAX_VISITS = 1_000
"""The one that began first is forgotten for one more."""
TASK_FIELD = "task"


class Shopfront:
    """What there is to answer: a list of tasks, and the visits under way.

    Nothing waits while it answers, so that visits need no locks.
    """

    def __init__(self, panel: Panel, *, shop: str | int) -> None:
        self._shop = shop
        self._tasks = {task.id: task for task in panel.tasks}
        self._list = _list_tasks(panel)
        self.visits: dict[str, Visit] = {}
        """By name, in the order in which they began."""

    async def list(self, request: Request) -> Response:
        """The tasks, each a button that begins a visit."""
        return _html(self._list)

    async def begin(self, request: Request) -> Response:
        """A new visit."""
        form = await _read_form(request)
        task = self._tasks.get(form.get(TASK_FIELD, ""))
        if task is None:
            return _problem("there is no such task")
        return RedirectResponse(f"/visits/{self.enter(task)}", status_code=303)

    def enter(self, task: Task) -> str:
        """Keep a new visit; its name, which nobody can guess."""
        if len(self.visits) >= MAX_VISITS:
            del self.visits[next(iter(self.visits))]
        name = secrets.token_urlsafe(16)
        self.visits[name] = Visit.begin(task, shop=self._shop)
        return name

    async def show(self, request: Request) -> Response:
        """The visit's page."""
        visit = self.visits.get(request.path_params["name"])
        return _gone() if visit is None else _html(visit.observation.text)

    async def act(self, request: Request) -> Response:
        """Search or click, then the page that it leads to."""
        form = await _read_form(request)
        visit = self.visits.get(request.path_params["name"])
        if visit is None:
            return _gone()
        visit.act(form)
        return RedirectResponse(request.url.path, status_code=303)

    async def tell(self, request: Request) -> Response:
        """Where a visit is and what its last step was worth: for programs that drive a browser."""
        visit = self.visits.get(request.path_params["name"])
        if visit is None:
            return _gone()
        told = {
            "state": visit.observation.state,
            "reward": visit.reward,
            "terminated": visit.terminated,
        }
        return JSONResponse(told)


def make_app(panel: Panel, *, shop: str | int, port: int) -> ASGIApp:
    """The application for a panel's tasks, behind its guard."""
    front = Shopfront(panel, shop=shop)
    style = Path(__file__).with_name("shop.css").read_bytes()
    visit = "/visits/{name}"
    routes = [
        Route("/", front.list, methods=["GET"]),
        Route("/visits", front.begin, methods=["POST"]),
        Route(visit, front.show, methods=["GET"]),
        Route(visit, front.act, methods=["POST"]),
        Route(f"{visit}/state", front.tell, methods=["GET"]),
        Route("/shop.css", lambda _: Response(style, media_type="text/css"), methods=["GET"]),
    ]
    return Guard(Starlette(routes=routes), port=port, headers=FORM_HEADERS)


def serve_webshop(split: str, *, shop: str | int, port: int, open_browser: bool) -> int:
    """Serve a split's tasks to this machine's browser until Ctrl-C.

    Raises:
        UsageError: there is no such split or shop, the shop is too small, or the port is taken.
    """
    panel = WebShop.panel(split)
    Visit.begin(panel.tasks[0], shop=shop)  # opens the shop, or says why it cannot be
    return serve(
        lambda port: make_app(panel, shop=shop, port=port), port=port, open_browser=open_browser
    )


async def _read_form(request: Request) -> dict[str, str]:
    """The fields of a form, the last value of each; none of one that is too long."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return {}
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[-1] for name, values in fields.items()}


def _list_tasks(panel: Panel) -> str:
    """The front page's body."""
    rows = "".join(
        f'<li><button name="{TASK_FIELD}" value="{escape(task.id)}">'
        f"{escape(str(task.public['instruction']))}</button></li>\n"
        for task in panel.tasks
    )
    form = f'<form method="post" action="/visits">\n<ol>\n{rows}</ol>\n</form>\n'
    return document(f"<h1>WebShop</h1>\n<p>What will you buy? {escape(panel.name)}:</p>\n{form}")


def _html(text: str, *, status: int = 200) -> Response:
    # Texts of a user's files may have lone surrogates, which no page can.
    return Response(text.encode("utf-8", "replace"), status_code=status, media_type="text/html")


def _problem(what: str) -> Response:
    home = '<p><a href="/">The list of tasks</a></p>'
    return _html(document(f"<h1>WebShop</h1>\n<p>{what}</p>\n{home}\n"), status=404)


def _gone() -> Response:
    return _problem("there is no such visit, or it was forgotten for newer ones")

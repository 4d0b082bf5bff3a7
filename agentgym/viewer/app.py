"""What the viewer answers: the page's own files, and a run's episodes as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from agentgym.errors import AgentGymError, UsageError
from agentgym.serving.guard import Guard
from agentgym.viewer.credit import credit, graph
from agentgym.viewer.failures import failures
from agentgym.viewer.runs import OpenRun
from agentgym.viewer.search import search

STATIC = Path(__file__).parent / "static"
PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/app.css": ("app.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""Path -> file and type. Nothing else of the disk has an address."""
FIRST_SECONDS, MORE_SECONDS = 0.1, 0.4
"""After this long a part of the table is sent, so that a reader of a long run sees rows at once."""
Find: TypeAlias = Callable[[OpenRun, Request], Any]
GROUP = "/api/runs/{run:int}/files/{file}/groups/{group:int}"


def make_app(runs: Sequence[OpenRun], *, port: int) -> ASGIApp:
    """The application for these runs, behind its guard.

    Raises:
        FileNotFoundError: the page was not built.
    """
    routes = [Route(path, _file(STATIC / name, kind)) for path, (name, kind) in PAGE.items()]

    def answer(path: str, find: Find) -> None:
        def endpoint(request: Request) -> Response:
            number = request.path_params["run"]
            if number >= len(runs):
                return problem(404, f"no run {number}; open: {len(runs)}")
            return answered(runs[number], request, find)

        routes.append(Route(path, endpoint, methods=["GET"]))

    def about(_: Request) -> Response:
        return as_json([opened.about() for opened in runs])

    routes.append(Route("/api/runs", about, methods=["GET"]))
    answer("/api/runs/{run:int}/episodes", _table)
    answer("/api/runs/{run:int}/search", lambda o, r: search(o, r.query_params.get("text", "")))
    answer("/api/runs/{run:int}/failures", lambda opened, _: failures(opened))
    answer(GROUP, lambda opened, request: opened.group(*_group(request)))
    answer(f"{GROUP}/credit", lambda o, r: credit(o, *_group(r), scheme=_scheme(r)))
    answer(f"{GROUP}/graph", lambda o, r: graph(o, *_group(r), scheme=_scheme(r)))
    answer(f"{GROUP}/pictures/{{member:int}}/{{turn:int}}", _picture)
    return Guard(Starlette(routes=routes), port=port)


def _file(path: Path, kind: str) -> Callable[[Request], Response]:
    content = path.read_bytes()
    return lambda _: Response(content, media_type=kind)


def _group(request: Request) -> tuple[str, int]:
    return request.path_params["file"], request.path_params["group"]


def _scheme(request: Request) -> str | None:
    return request.query_params.get("scheme")


def _table(opened: OpenRun, request: Request) -> dict[str, Any]:
    after = request.query_params.get("after", "")
    return opened.table(after, seconds=MORE_SECONDS if after else FIRST_SECONDS)


def _picture(opened: OpenRun, request: Request) -> Response:
    where = request.path_params
    image = opened.picture(*_group(request), member=where["member"], turn=where["turn"])
    return Response(image, media_type="image/png")


def answered(opened: OpenRun, request: Request, find: Find) -> Response:
    """What was found, or why it was not, in words for the reader."""
    try:
        found = find(opened, request)
    except UsageError as error:
        return problem(404, opened.here(str(error)))
    except (AgentGymError, OSError) as error:
        return problem(503, opened.here(str(error)))
    return found if isinstance(found, Response) else as_json(found)


def problem(status: int, message: str) -> Response:
    """An answer that says what is wrong."""
    return as_json({"error": message}, status=status)


def as_json(value: Any, *, status: int = 200) -> Response:
    """The value as JSON, numbers that JSON lacks as strings: "NaN", "Infinity", "-Infinity"."""
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_named(value), separators=(",", ":"))
    return Response(text, status_code=status, media_type="application/json")


def _named(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _named(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_named(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value

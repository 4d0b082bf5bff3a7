"""The server side of the field's retrieval protocol: `agentgym serve-search CORPUS`."""

from __future__ import annotations

import json
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentgym.envs.search.corpus import open_corpus
from agentgym.envs.search.made import CORPORA
from agentgym.envs.search.retrievers import Hit, Retriever, make_plugin, open_retriever
from agentgym.errors import AgentGymError, UsageError, boundary

MAX_BODY_BYTES = 64 << 20
"""A longer request is refused unread."""
IDLE_S = 60.0
"""A connection that says nothing for so long is closed."""


class Query(BaseModel):
    """What a client posts to /retrieve.

    Source: Search-R1's released code, `search_r1/search/retrieval_server.py`.
    """

    model_config = ConfigDict(strict=True)

    queries: list[str]
    topk: int | None = Field(default=None, ge=1)
    """None takes the server's own."""
    return_scores: bool = False


def answer(retriever: Retriever, query: Query, *, topk: int) -> dict[str, Any]:
    """What /retrieve answers: a list of results per query, the documents bare without scores."""
    found = retriever.search(query.queries, topk=query.topk or topk)
    if query.return_scores:
        return {"result": [[_scored(hit) for hit in hits] for hits in found]}
    return {"result": [[_document(hit) for hit in hits] for hits in found]}


def _document(hit: Hit) -> dict[str, str]:
    passage = hit.passage
    return {
        "id": passage.id,
        "contents": passage.contents,
        "title": passage.title,
        "text": passage.text,
    }


def _scored(hit: Hit) -> dict[str, Any]:
    return {"document": _document(hit), "score": hit.score}


class Handler(BaseHTTPRequestHandler):
    """One connection; `server` has the retriever."""

    server: SearchServer
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S

    def do_POST(self) -> None:
        """Search; a bad request gets a reason, and a failed search the status 500."""
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            length = -1
        if not 0 <= length <= MAX_BODY_BYTES:
            self.close_connection = True
            self._answer(HTTPStatus.BAD_REQUEST, {"detail": "a Content-Length is needed"})
            return
        body = self.rfile.read(length)
        if self.path != "/retrieve":
            self._answer(HTTPStatus.NOT_FOUND, {"detail": "POST to /retrieve"})
            return
        try:
            query = Query.model_validate_json(body)
        except ValidationError as error:
            detail = error.errors(include_url=False, include_context=False, include_input=False)
            self._answer(HTTPStatus.UNPROCESSABLE_ENTITY, {"detail": detail})
            return
        try:
            found = answer(self.server.retriever, query, topk=self.server.topk)
        except AgentGymError as error:
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"detail": str(error)})
            return
        self._answer(HTTPStatus.OK, found)

    def _answer(self, status: HTTPStatus, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a line per query would be the slowest part."""


class SearchServer(ThreadingHTTPServer):
    """Answers /retrieve, a thread per connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], retriever: Retriever, *, topk: int) -> None:
        self.retriever = retriever
        self.topk = topk
        super().__init__(address, Handler)

    @property
    def url(self) -> str:
        """Where clients post."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}/retrieve"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours; all else is told on stderr."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def serve(corpus: str, *, host: str, port: int, topk: int, retriever: str) -> int:
    """Serve a corpus until Ctrl-C.

    Args:
        corpus: a file of passages, or the name of one that is made here: "gen1" or "real1".
        port: 0 takes a free one.
        retriever: a plug-in's name, or as YAML `{name: ..., ...}` with its settings.

    Raises:
        UsageError: there is no such corpus or retriever, or the port is taken.
    """
    with boundary(UsageError, f"retriever '{retriever}'"):
        plugin = make_plugin(yaml.safe_load(retriever) if "{" in retriever else retriever)
    if corpus in CORPORA:
        opened = open_retriever(plugin, corpus, CORPORA[corpus])
    else:
        path = Path(corpus).expanduser()
        opened = open_retriever(plugin, str(path), lambda: open_corpus(path))
    try:
        server = SearchServer((host, port), opened, topk=topk)
    except (OSError, OverflowError) as error:
        raise UsageError(f"cannot listen on {host}:{port}: {error}") from error
    with server:
        print(f"searching '{corpus}' at {server.url}; Ctrl-C ends", flush=True)
        server.serve_forever()
    return 0

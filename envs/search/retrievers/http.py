"""http: a retriever on another machine, asked as Search-R1's clients ask theirs."""

from __future__ import annotations

import http.client
import io
import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agentgym.envs.search.corpus import Corpus, Passage
from agentgym.envs.search.retrievers import Hit
from agentgym.errors import EnvError, cut

CHUNK_BYTES = 1 << 16


class Http(BaseModel):
    """POST `{"queries", "topk", "return_scores"}`, as Search-R1's retrieval servers take it.

    `agentgym serve-search` is such a server.

    Source: Search-R1's released code, `search_r1/search/retrieval_server.py`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = "http://127.0.0.1:8000/retrieve"
    """Where to post; `https` too."""
    deadline_s: float = Field(default=30.0, gt=0)
    """How long a search may take, from looking up the host's name to the answer's last byte."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname
        if not known or not url.isascii() or " " in url:
            raise ValueError("must be http://HOST:PORT/PATH, or https")
        _ = parts.port  # raises ValueError where it is none
        return url

    def __call__(self, corpus: Callable[[], Corpus]) -> HttpRetriever:
        """See `RetrieverPlugin`; the server has its own corpus."""
        return HttpRetriever(self.url, deadline_s=self.deadline_s)


class HttpRetriever:
    """A client that keeps nothing between calls, so that threads may share it."""

    def __init__(self, url: str, *, deadline_s: float) -> None:
        self._url = url
        self._deadline_s = deadline_s

    def search(self, queries: Sequence[str], *, topk: int) -> list[list[Hit]]:
        """See `Retriever.search`.

        Raises:
            EnvError: the server is dead, slow, or answers with anything but results.
        """
        asked = {"queries": list(queries), "topk": topk, "return_scores": True}
        try:
            status, body = self._post(json.dumps(asked).encode())
        except TimeoutError as error:
            raise self._error(f"no answer within {self._deadline_s:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise self._error(f"{type(error).__name__}: {error}") from error
        if status != http.HTTPStatus.OK:
            raise self._error(f"status {status}: {body.decode('utf-8', 'replace')}")
        try:
            results = [[_read(item) for item in found] for found in json.loads(body)["result"]]
        except (ValueError, KeyError, TypeError) as error:
            raise self._error(f"not a retrieval result: {error!r}") from error
        if len(results) != len(queries):
            raise self._error(f"{len(results)} results for {len(queries)} queries")
        return [found[:topk] for found in results]

    def _error(self, what: str) -> EnvError:
        return EnvError(cut(f"retriever {self._url}: {what}"))

    def _post(self, body: bytes) -> tuple[int, bytes]:
        """The answer's status and body.

        In a thread that is left to itself at the deadline, for nothing bounds the look-up of a
        name, and each address of a host may take its time to connect. It ends by itself: every
        wait of its socket is bounded.

        Raises:
            TimeoutError: the deadline passed.
        """
        answers: SimpleQueue[tuple[int, bytes] | Exception] = SimpleQueue()
        end = time.monotonic() + self._deadline_s

        def ask() -> None:
            try:
                answers.put(self._exchange(body, end))
            except Exception as error:
                answers.put(error)

        Thread(target=ask, daemon=True).start()
        try:
            found = answers.get(timeout=_left(end))
        except Empty:
            raise TimeoutError from None
        if isinstance(found, Exception):
            raise found
        return found

    def _exchange(self, body: bytes, end: float) -> tuple[int, bytes]:
        """Ask and read the answer.

        A plain socket, not a client library: their time limits are for each read, and a server
        that sends a byte now and then outlives them all.
        """
        parts = urlsplit(self._url)
        assert parts.hostname is not None
        port = parts.port or (443 if parts.scheme == "https" else 80)
        head = (
            f"POST {parts.path or '/'}{'?' if parts.query else ''}{parts.query} HTTP/1.1\r\n"
            f"Host: {parts.netloc.rpartition('@')[2]}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection((parts.hostname, port), timeout=_left(end)) as plain:
            plain.settimeout(_left(end))
            channel = plain
            if parts.scheme == "https":
                context = ssl.create_default_context()
                channel = context.wrap_socket(plain, server_hostname=parts.hostname)
            channel.settimeout(_left(end))
            channel.sendall(head.encode("ascii") + body)
            received = bytearray()
            while True:
                channel.settimeout(_left(end))
                chunk = channel.recv(CHUNK_BYTES)
                if not chunk:
                    break
                received += chunk
        source = cast("socket.socket", _Received(bytes(received)))
        response = http.client.HTTPResponse(source, method="POST")
        response.begin()
        return response.status, response.read()


class _Received:
    """Bytes that have arrived, as the one method of a socket that Python's parser of HTTP calls."""

    def __init__(self, received: bytes) -> None:
        self._received = received

    def makefile(self, mode: str) -> io.BytesIO:
        """All of it."""
        return io.BytesIO(self._received)


def _left(end: float) -> float:
    """Seconds until then.

    Raises:
        TimeoutError: there are none.
    """
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _read(item: Mapping[str, Any]) -> Hit:
    """One of the results; servers for BM25 add `title` and `text`, which `contents` has too."""
    document = item["document"]
    passage = Passage(id=str(document["id"]), contents=str(document["contents"]))
    return Hit(passage=passage, score=float(item["score"]))

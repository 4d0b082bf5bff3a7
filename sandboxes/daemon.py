"""Daemon: a connection to a Docker engine, whose calls have deadlines and our errors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from docker import APIClient
from docker.errors import DockerException
from docker.utils import kwargs_from_env
from requests.exceptions import RequestException, Timeout
from urllib3.exceptions import HTTPError, TimeoutError

from agentgym.errors import DeadlineError, SandboxError

CONNECT_S = 10.0
MISSING = "no Docker engine answers"
LOST = "the sandbox is lost"


class Daemon:
    """A connection; without an address to where `DOCKER_HOST` says, or to the usual socket."""

    def __init__(self, address: str | None = None) -> None:
        given = kwargs_from_env() | ({} if address is None else {"base_url": address})
        self.address = str(given.get("base_url", "unix:///var/run/docker.sock"))
        if self.address.startswith("unix://") and not Path(self.address[len("unix://") :]).exists():
            raise SandboxError(f"{MISSING} at {self.address}: start one, or set DOCKER_HOST")
        with _failures(MISSING):
            self._api: Any = APIClient(**given, version=_version(self.address), timeout=CONNECT_S)
            self._api.ping()

    @contextmanager
    def calls(self, until: float, *, what: str = LOST) -> Iterator[Any]:
        """Its client, with what is left of the time for the next call.

        Raises:
            DeadlineError: it took too long.
            SandboxError: it failed.
        """
        left = until - time.monotonic()
        if left <= 0:
            raise DeadlineError("calls of the Docker engine took longer than their deadline")
        self._api.timeout = left
        with _failures(what):
            yield self._api

    def close(self) -> None:
        """End the connection."""
        self._api.close()


@cache
def _version(address: str) -> str:
    """Of the interface; an engine starts programs to answer."""
    given = kwargs_from_env() | {"base_url": address}
    with closing(APIClient(**given, version="auto", timeout=CONNECT_S)) as api:
        return str(api.api_version)


@contextmanager
def _failures(what: str) -> Iterator[None]:
    try:
        yield
    except (Timeout, TimeoutError) as error:
        raise DeadlineError(f"the Docker engine took longer than its deadline: {error}") from error
    except (DockerException, RequestException, HTTPError, OSError) as error:
        raise SandboxError(f"{what}: {' '.join(str(error).split())[:500]}") from error

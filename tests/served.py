"""`agentgym view` as its users run it: a process of its own, asked over raw HTTP."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def serving(*folders: Path) -> Iterator[int]:
    """Serve these runs; the port."""
    with served(*folders) as (port, _):
        yield port


@contextmanager
def served(*folders: Path) -> Iterator[tuple[int, int]]:
    """Serve these runs; the port and the process."""
    command = [sys.executable, "-m", "agentgym", "view", *map(str, folders)]
    process = subprocess.Popen(
        [*command, "--port", "0", "--no-open"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        match = re.match(r"http://127\.0\.0\.1:(\d+)/ ", process.stdout.readline())
        assert match is not None, "the first line has the address"
        yield int(match[1]), process.pid
    finally:
        process.terminate()
        process.communicate(timeout=10)


def ask(
    port: int, path: str, *, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def get(port: int, path: str) -> Any:
    """What the JSON at a path says."""
    status, _, body = ask(port, path)
    assert status == 200, body
    return json.loads(body)


def whole_table(port: int, run: int) -> dict[str, Any]:
    """The table of a run, which the server sends in parts."""
    parts = [get(port, f"/api/runs/{run}/episodes")]
    while parts[-1]["more"]:
        parts.append(get(port, f"/api/runs/{run}/episodes?after={parts[-1]['next']}"))
    columns = {
        name: [cell for part in parts for cell in part["columns"][name]]
        for name in parts[0]["columns"]
    }
    return {"columns": columns, "problems": [line for part in parts for line in part["problems"]]}


def say(port: int, text: bytes) -> bytes:
    """The answer to bytes as they are, whatever they are."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer

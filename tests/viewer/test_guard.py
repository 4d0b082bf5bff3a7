"""Who is let in: the page by its own address, and nobody else; nothing outside the run."""

from __future__ import annotations

from pathlib import Path

import pytest
from served import ask, say

from agentgym.serving.guard import HEADERS

DATA = "/api/runs/0/episodes"
OUTSIDE = (
    "/../secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e/secret.txt",
    "/static/app.js",
    "/config.yaml",
    "/api/runs/0/files/..%2f..%2fsecret.txt/groups/0",
    "/api/runs/0/files/../../../secret.txt/groups/0",
    "/api/runs/0/files/%2e%2e%2f%2e%2e%2fsecret/groups/0",
    "/api/runs/0/files/..%5c..%5csecret.txt/groups/0",
    "/api/runs/0/files/notes.txt/groups/0",
    "/api/runs/0/files/notes/groups/0",
    "/api/runs/0/files/step-000000%00/groups/0",
    "/api/runs/0/files/*/groups/0",
    "/api/runs/0/files/step-000000.parquet/groups/0",
    "/api/runs/7/episodes",
    "/api/runs/7/search?text=CANARY",
    "/api/runs/7/failures",
    "/api/runs/-1/episodes",
    "/api/runs/0/files/step-000000/groups/99",
    "/api/runs/0/files/step-000000/groups/0/pictures/0/0",
    "/api/runs/0/files/step-000000/groups/0/pictures/0/999",
)


def test_the_right_address_is_let_in(port: int) -> None:
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        status, _, body = ask(port, DATA, headers={"Host": host})
        assert (status, b"step-000000" in body) == (200, True)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost",
        "127.0.0.1:{port}.evil.example", "127.0.0.1:{port}@evil.example", "[::1]:{port}",
        "127.0.0.1:{port}, evil.example", "0.0.0.0:{port}", "LOCALHOST.:{port}", "",
    ],
)  # fmt: skip
def test_another_name_for_this_address_is_refused(port: int, host: str) -> None:
    status, _, body = ask(port, DATA, headers={"Host": host.format(port=port)})
    assert (status, b"step-0" in body) == (403, False)


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET {data} HTTP/1.0\r\n\r\n",
        b"GET {data} HTTP/1.1\r\n\r\n",
        b"GET {data} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.example\r\n\r\n",
        b"GET http://evil.example{data} HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /../../secret.txt HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n",
        b"GET /api/runs/0/files/../../x/groups/0 HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
        b"BREW {data} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
)
def test_odd_requests_get_no_data(port: int, request_line: bytes) -> None:
    text = request_line.replace(b"{port}", str(port).encode()).replace(b"{data}", DATA.encode())
    answer = say(port, text)
    assert b" 200 " not in answer.partition(b"\r\n")[0]
    assert b"step-0" not in answer and b"CANARY" not in answer


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://localhost:{port}"]
)
def test_a_page_of_another_origin_is_refused(port: int, origin: str) -> None:
    headers = {"Origin": origin.format(port=port)}
    status, _, body = ask(port, DATA, headers=headers)
    assert (status, b"step-0" in body) == (403, False)


def test_a_page_of_another_site_may_link_to_the_page_and_load_nothing(port: int) -> None:
    for site in ("cross-site", "same-site"):
        assert ask(port, DATA, headers={"Sec-Fetch-Site": site})[0] == 403
        assert ask(port, "/app.js", headers={"Sec-Fetch-Site": site})[0] == 403
        assert ask(port, "/", headers={"Sec-Fetch-Site": site})[0] == 200
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": f"http://127.0.0.1:{port}"}
    assert ask(port, DATA, headers=headers)[0] == 200


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_outside_the_run_has_an_address(port: int, path: str) -> None:
    status, _, body = ask(port, path)
    assert (status, b"CANARY" in body) == (404, False)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_the_server_only_reads(port: int, method: str) -> None:
    for path in ("/", DATA, "/api/runs"):
        assert ask(port, path, method=method)[0] == 405


def test_every_answer_has_the_headers(port: int) -> None:
    for path in ("/", "/app.js", DATA, "/nothing", "/api/runs/9/episodes"):
        _, headers, _ = ask(port, path)
        lower = {name.lower(): value for name, value in headers.items()}
        assert {name.lower(): value for name, value in HEADERS.items()}.items() <= lower.items()
        assert "server" not in lower
    refused = ask(port, "/", headers={"Host": "evil.example"})[1]
    assert refused["content-security-policy"] == HEADERS["Content-Security-Policy"]


def test_reading_changes_nothing_in_the_run(port: int, stored: Path) -> None:
    def state() -> dict[Path, tuple[int, int]]:
        found = {path: path.stat() for path in sorted(stored.rglob("*"))}
        return {path: (each.st_mtime_ns, each.st_size) for path, each in found.items()}

    before = state()
    group = "/api/runs/0/files/step-000000/groups/0"
    for path in (DATA, group, f"{group}/credit", f"{group}/graph"):
        assert ask(port, path)[0] == 200
    assert state() == before

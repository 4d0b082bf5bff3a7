"""A WebShop server of the user's: its pages are read, its failures are not the agent's."""

from __future__ import annotations

import socket
import threading
import time
from ast import literal_eval
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote

import pytest

from agentgym.envs.webshop.remote import WebShopServer
from agentgym.errors import EnvError, UsageError
from agentgym.types import Observation, Outcome

HEAD = "<html><head><title>WebShop</title><script>no</script></head><body><!-- no -->"
COLORS = ("red", "sky / blue")


class Handler(BaseHTTPRequestHandler):
    """Pages at the addresses, and of the elements, of WebShop's web application."""

    def do_GET(self) -> None:
        self.answer({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.answer({name: values[-1] for name, values in parse_qs(body).items()})

    def answer(self, form: dict[str, str]) -> None:
        kind, *rest = map(unquote, self.path[1:].split("/"))
        if "search_query" in form:
            self.send_response(302)
            keywords = quote(str(form["search_query"].split(" ")))
            self.send_header("Location", f"/search_results/{kind}/{keywords}/1")
            self.end_headers()
            return
        text = pages(kind, rest)
        self.send_response(200 if text else 500)
        self.end_headers()
        self.wfile.write(f"{HEAD}{text}</body></html>".encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


def button(text: str, *where: object) -> str:
    address = "/".join(quote(str(part), safe="") for part in where)
    return f"<form method=post action='/{address}'><button class='btn'>{text}</button></form>"


def pages(kind: str, rest: list[str]) -> str:
    visit = rest[0] if rest else kind
    goal = visit.split("_")[-1]
    top = f"<h4>Instruction: <br>lamp {goal}</h4>"
    back = button("Back to Search", visit)
    if kind == visit:
        search = (
            f"<form action='/{visit}'><input name='search_query'><button>Search</button></form>"
        )
        return "" if goal == "499" else f"<h2>WebShop</h2>{top}{search}</form><iframe>no</iframe>"
    if kind == "search_results":
        link = f"/item_page/{visit}/B01/{quote(rest[1])}/{rest[2]}/%7B%7D"
        offer = f"<h4><a class='a product-link' href='{link}'>B01</a></h4><h4>Lamp &lt;1&gt;</h5>"
        after = button("Next &gt;", kind, visit, rest[1], int(rest[2]) + 1)
        return f"{top}<p>Page {rest[2]}</p>{back}{after}{offer}"
    if kind == "item_page":
        options = literal_eval(rest[-1])
        radios = "".join(
            f"<input type='radio' name='color' value='{color}' data-url='/item_page/{visit}/B01/q/"
            f"1/{quote(str(options | {'color': color}), safe='')}'><label>{color}</label>"
            for color in COLORS
        )
        features = button("Features", "item_sub_page", visit, "B01", "q", 1, "Features", options)
        buy = button("Buy Now", "done", visit, "B01", options)
        return f"{top}{back}<h4>color</h4>{radios}<h2>Lamp</h2>{features}{buy}"
    if kind == "item_sub_page":
        item = button("&lt; Back to Item Page", "item_page", visit, "B01", "q", 1, rest[-1])
        return f"{top}{back}{item}<p>Bright</p>"
    reward = 1.0 if literal_eval(rest[-1]) == {"color": "sky / blue"} else 0.5
    hidden = "<div style='display:none'><h4>SECRET<div>SECRET</div></p></h4></div>"
    return f"<h1>Thanks</h1>{hidden}<h3>Your score (min 0.0, max 1.0)<pre>{reward}</pre></h3>"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def begun(url: str, goal: int = 0, **settings: Any) -> tuple[WebShopServer, Observation]:
    env = WebShopServer(url=url, **settings)
    task = WebShopServer.panel("server/test").tasks[goal]
    return env, env.reset(options={"task": task})[0]


def test_a_visit_is_what_the_servers_pages_say(url: str) -> None:
    env, first = begun(url, 7)
    assert first.text == "WebShop [SEP] Instruction: [SEP] lamp 7 [SEP] Search"
    assert first.choices == ()
    results = env.step("search[A lamp]")[0]
    assert results.text == (
        "Instruction: [SEP] lamp 7 [SEP] Page 1 [SEP] Back to Search [SEP] Next > [SEP] B01 [SEP] "
        "Lamp <1>"
    )
    assert results.choices == ("click[back to search]", "click[next >]", "click[b01]")
    assert "Page 2" in env.step("click[Next >]")[0].text
    item = env.step("click[b01]")[0]
    assert item.choices == (
        "click[back to search]", "click[red]", "click[sky / blue]", "click[features]",
        "click[buy now]",
    )  # fmt: skip
    env.step("click[sky / blue]")
    assert "Bright" in env.step("click[features]")[0].text
    env.step("click[< back to item page]")  # with the option
    end, reward, terminated, _, _ = env.step("click[buy now]")
    assert (reward, terminated, env.outcome()) == (1.0, True, Outcome(score=1.0, success=True))
    assert end.text == "Thanks [SEP] Your score (min 0.0, max 1.0) [SEP] 1.0"
    with pytest.raises(UsageError, match="the episode is over"):
        env.step("search[lamp]")


def test_rich_pages_mark_the_option_in_the_address(url: str) -> None:
    env, _ = begun(url, mode="text_rich")
    env.step("search[lamp]")
    env.step("click[b01]")
    text = env.step("click[red]")[0].text
    assert text.startswith("You have clicked red.\n")
    assert "[clicked button] red [clicked button_]" in text
    assert env.step("click[buy now]")[1] == 0.5
    assert not env.outcome().success


def test_equal_places_of_different_visits_are_one_state(url: str) -> None:
    states = []
    for _ in range(2):
        env, first = begun(url)
        states.append((first.state, env.step("search[lamp]")[0].state))
    assert states[0] == states[1]
    assert states[0][0] != states[0][1]


@pytest.mark.parametrize(
    "action", ["click[b01]", "click[search]", "hm", "buy[now]", "\0", "[" * 999]
)
def test_what_means_nothing_changes_nothing(url: str, action: str) -> None:
    env, first = begun(url)
    assert env.parse(action).action is None
    assert env.step(action) == (first, 0.0, False, False, {})


@contextmanager
def saying(answer: bytes, *, pause_s: float = 0.0) -> Iterator[str]:
    """A server that says this to the first who asks, a byte at a time, and goes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                for byte in answer:
                    try:
                        connection.sendall(bytes([byte]))
                    except OSError:
                        return
                    time.sleep(pause_s)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(timeout=5)


OK = b"HTTP/1.0 200 OK\r\n\r\n"


def test_a_server_that_fails_is_an_error_of_the_environment(url: str) -> None:
    with pytest.raises(EnvError, match="status 500"):
        begun(url, 499)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(EnvError, match="ConnectionRefused|refused"):
        begun(f"http://127.0.0.1:{port}")
    with saying(b"what?\r\n\r\n") as address, pytest.raises(EnvError, match="BadStatusLine"):
        begun(address)


def test_a_slow_server_is_left_at_the_deadline() -> None:
    with saying(OK + b"." * 100, pause_s=0.05) as address:
        with pytest.raises(EnvError, match="no whole page within 0.5 s"):
            begun(address, deadline_s=0.5)


def test_a_page_that_leads_away_is_not_followed() -> None:
    page = OK + b"<a class='product-link' href='file:///etc/passwd'>B01</a>"
    with saying(page) as address:
        env, first = begun(address)
        assert first.choices == ("click[b01]",)
        with pytest.raises(EnvError, match="leads away, to 'file:///etc/passwd'"):
            env.step("click[b01]")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "ftp://x"}, "url must be http://HOST:PORT, or https, not 'ftp://x'"),
        ({"mode": "html"}, "mode must be text or text_rich, not 'html'"),
        ({"deadline_s": 0}, "deadline_s must be more than 0 seconds, not 0"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        WebShopServer(**settings)


def test_the_splits_are_the_conventional_ones() -> None:
    sizes = [len(WebShopServer.panel(split)) for split in WebShopServer.splits()]
    assert sizes == [500, 1000, 10587]
    with pytest.raises(UsageError, match="did you mean 'server/dev'"):
        WebShopServer.panel("server/devv")

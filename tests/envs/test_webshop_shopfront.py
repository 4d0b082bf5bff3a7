"""The shop in a browser: the same visits over HTTP, each its own; markup says what texts say."""

from __future__ import annotations

import http.client
import json
import random
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shop_server import serving

from agentgym.envs.webshop.env import WebShop
from agentgym.envs.webshop.markup import markup
from agentgym.envs.webshop.pages import Page, Piece, Role, done_page, item_page
from agentgym.envs.webshop.product import Product
from agentgym.envs.webshop.shopfront import MAX_BODY_BYTES, MAX_VISITS, Shopfront
from agentgym.types import Observation, Task

NUM_WALKS, MOST_TURNS, NUM_VISITORS = 200, 7, 20
"""At once, so that visits mix and nobody waits for one answer at a time."""


class Reader(HTMLParser):
    """What stands on a page and what can be pressed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.buttons: dict[str, str] = {}
        """Of clicks: what is posted -> `aria-pressed`, or ""."""
        self.can_search = False
        self._is_body = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self._is_body |= tag == "body"
        self.can_search |= told.get("name") == "search"
        if tag == "button" and told.get("name") == "click":
            self.buttons[told["value"] or ""] = told.get("aria-pressed") or ""

    def handle_data(self, data: str) -> None:
        if self._is_body and data and not ("\n" in data and not data.strip(" \n\t\f\r")):
            self.texts.append(data.strip())


class Visitor:
    """A browser, as far as this shop needs one."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.address = ""

    def ask(self, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        """The status and the page, after a redirection if there was one."""
        body = None if form is None else urlencode(form)
        self.connection.request("GET" if form is None else "POST", path, body=body)
        response = self.connection.getresponse()
        text = response.read().decode()
        if response.status == 303:
            self.address = response.headers["Location"]
            return self.ask(self.address)
        return response.status, text

    def post(self, **form: str) -> Reader:
        """Press a button of the visit's page."""
        return Reader(self.ask(self.address, form)[1])

    def enter(self, task: Task) -> Reader:
        """Begin a visit."""
        return Reader(self.ask("/visits", {"task": task.id})[1])

    def told(self) -> dict[str, Any]:
        """What programs are told of the visit."""
        told: dict[str, Any] = json.loads(self.ask(f"{self.address}/state")[1])
        return told


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving("gen1/test") as port:
        yield port


@pytest.fixture
def visitor(port: int) -> Iterator[Visitor]:
    visitor = Visitor(port)
    yield visitor
    visitor.connection.close()


def tasks() -> tuple[Task, ...]:
    return WebShop.panel("gen1/test").tasks


def assert_same(page: Reader, visitor: Visitor, observation: Observation, reward: float) -> None:
    assert page.texts == observation.text.split(" [SEP] ")
    choices = {f"click[{value}]" for value in page.buttons}
    assert choices == set(observation.choices or ())
    told = visitor.told()
    assert (told["state"], told["reward"]) == (observation.state, reward)


def choose(page: Reader, words: str, generator: random.Random) -> dict[str, str]:
    """A search, or one of the buttons; a page without any can only be searched from."""
    if page.can_search or not page.buttons or generator.random() < 0.05:
        return {"search": words}
    options = [value for value, pressed in page.buttons.items() if pressed]
    wanted = [value for value in page.buttons if value not in ("back to search", *options)]
    return {"click": generator.choice(options if options and generator.random() < 0.4 else wanted)}


def walk(port: int, number: int) -> bool:
    """A walk in both shops; whether it ended with a purchase."""
    env, visitor, task = WebShop(), Visitor(port), tasks()[number]
    generator = random.Random(number)
    observation, _ = env.reset(options={"task": task})
    page, reward, terminated = visitor.enter(task), 0.0, False
    for _ in range(MOST_TURNS):
        assert_same(page, visitor, observation, reward)
        form = choose(page, str(task.public["instruction"]), generator)
        ((field, value),) = form.items()
        page = visitor.post(**form)
        observation, reward, terminated, _, _ = env.step(f"{field}[{value}]")
        if terminated:
            break
    assert_same(page, visitor, observation, reward)
    assert visitor.told()["terminated"] == terminated
    visitor.connection.close()
    return terminated


def test_random_walks_see_the_same_over_http_and_in_the_environment(port: int) -> None:
    with ThreadPoolExecutor(NUM_VISITORS) as visitors:
        ends = list(visitors.map(lambda number: walk(port, number), range(NUM_WALKS)))
    assert NUM_WALKS // 8 < sum(ends) < NUM_WALKS


def test_visits_do_not_see_each_other(visitor: Visitor) -> None:
    first, second = tasks()[:2]
    visitor.enter(first)
    visitor.post(search="lamp")
    one, before = visitor.address, visitor.told()
    page = visitor.enter(second)
    assert page.can_search
    assert visitor.address != one
    visitor.post(search="coffee")
    visitor.address = one
    assert visitor.told() == before


def test_what_is_not_on_the_page_changes_nothing(visitor: Visitor) -> None:
    visitor.enter(tasks()[0])
    before = visitor.told()
    for form in ({"click": "buy now"}, {"click": "b000000000"}, {"buy": "now"}, {"click": ""}):
        visitor.post(**form)
        assert visitor.told() == before


def test_after_a_purchase_nothing_happens_any_more(visitor: Visitor) -> None:
    visitor.enter(tasks()[0])
    page = visitor.post(search="lamp")
    visitor.post(click=next(value for value in page.buttons if value.startswith("b0")))
    visitor.post(click="buy now")
    end = visitor.told()
    assert end["terminated"]
    visitor.post(search="lamp")
    assert visitor.told() == end


def test_what_is_not_there_is_a_page_that_says_so(visitor: Visitor) -> None:
    for path, form in (
        ("/visits/none", None),
        ("/visits/none", {"click": "x"}),
        ("/visits/none/state", None),
        ("/visits", {"task": "gen1/test/9999"}),
        ("/visits", {"task": "x" * MAX_BODY_BYTES}),
    ):
        status, text = visitor.ask(path, form)
        assert status == 404
        assert "there is no such" in text


def test_the_oldest_of_too_many_visits_is_forgotten() -> None:
    front = Shopfront(WebShop.panel("gen1/test"), shop="small")
    names = [front.enter(tasks()[0]) for _ in range(MAX_VISITS + 1)]
    assert list(front.visits) == names[1:]


def test_another_page_in_the_browser_cannot_post(visitor: Visitor) -> None:
    visitor.enter(tasks()[0])
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        visitor.connection.request("POST", visitor.address, body="search=x", headers=headers)
        response = visitor.connection.getresponse()
        response.read()
        assert response.status == 403


def test_the_front_page_lists_the_tasks(visitor: Visitor) -> None:
    status, text = visitor.ask("/")
    assert status == 200
    assert re.findall(r'name="task" value="([^"]+)"', text) == [task.id for task in tasks()]


def test_the_mode_html_is_what_is_served(visitor: Visitor) -> None:
    env, task = WebShop(mode="html"), tasks()[0]
    observation, _ = env.reset(options={"task": task})
    visitor.enter(task)
    assert visitor.ask(visitor.address)[1] == observation.text
    assert env.step("search[lamp]")[0].text.startswith("<!DOCTYPE html>")


WORDS = st.text("ab <>&\"'\n/", max_size=6)


@settings(max_examples=100)
@given(WORDS, st.dictionaries(WORDS, st.lists(WORDS, max_size=3).map(tuple), max_size=3), WORDS)
def test_no_text_becomes_markup(
    title: str, options: dict[str, tuple[str, ...]], asked: str
) -> None:
    product = Product(
        asin="B01", title=title, description="", bullets=(), price=1.0, price_text="$1.0",
        category="c", product_category="p", query="q", options=options, attributes=("a",),
    )  # fmt: skip
    chosen = {name: values[0] for name, values in options.items() if values}
    for page in (
        item_page(asked, product, chosen, trail="", show_attributes=True),
        done_page("B01", chosen, 0.5),
        Page([Piece("a"), Piece(title), Piece("B02", Role.LINK, is_chosen=True), Piece(asked)]),
    ):
        read = Reader(markup(page))
        assert " [SEP] ".join(read.texts) == page.plain
        assert set(read.buttons) == set(page.clickables)


def test_the_end_hides_what_is_not_for_people() -> None:
    shown = markup(done_page("B01", {}, 0.25))
    visible = re.findall(r"<(?:h1|p)>([^<]*)<", shown)
    assert visible == [
        "Thank you for shopping with us!", "Your code: ", "None",
        " (Paste it in your MTurk interface.)", "Your score (min 0.0, max 1.0)", "0.25",
    ]  # fmt: skip

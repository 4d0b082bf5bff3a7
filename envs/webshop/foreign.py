"""Pages of the original WebShop, read from their HTML: what they show, and where it leads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser

from agentgym.envs.webshop.pages import Page, Piece, Role

UNSEEN = ("head", "script", "style", "iframe", "label")
"""Whose text is not shown, or is a value's a second time."""
SCORE = "Your score"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where something that can be clicked leads."""

    address: str
    is_post: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignPage:
    """One page."""

    page: Page
    ways: Mapping[str, Way]
    """By what a click must say."""
    score: str | None
    """What stands where the end shows it; None elsewhere."""


def read_page(text: str, chosen: Mapping[str, str]) -> ForeignPage:
    """Read the HTML of a page.

    Args:
        chosen: name -> value of the options in its address.
    """
    reader = _Reader(chosen)
    reader.feed(text)
    reader.close()
    texts = [piece.text for piece in reader.pieces]
    place = next((i for i, each in enumerate(texts) if each.startswith(SCORE)), None)
    score = None if place is None else " ".join(texts[place + 1 : place + 2])
    return ForeignPage(page=Page(reader.pieces), ways=reader.ways, score=score)


class _Reader(HTMLParser):
    def __init__(self, chosen: Mapping[str, str]) -> None:
        super().__init__()
        self.pieces: list[Piece] = []
        self.ways: dict[str, Way] = {}
        self._chosen = chosen
        self._hidden = ""
        """The tag of what is not shown, while inside it."""
        self._depth = 0
        """How many of these tags are open."""
        self._form = ""
        """The address of the form around."""
        self._role = Role.TEXT
        self._way: Way | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See `HTMLParser`."""
        if self._hidden:
            self._depth += tag == self._hidden
            return
        told = {name: value or "" for name, value in attrs}
        style = told.get("style", "").replace(" ", "")
        if tag in UNSEEN or "hidden" in told or "display:none" in style:
            self._hidden, self._depth = tag, 1
        elif tag == "form":
            self._form = told.get("action", "")
        elif tag == "button":
            self._role, self._way = Role.BUTTON, Way(address=self._form, is_post=True)
        elif tag == "a" and "product-link" in told.get("class", "").split():
            self._role, self._way = Role.LINK, Way(address=told.get("href", ""), is_post=False)
        elif tag == "input" and told.get("type") == "radio":
            name, value = told.get("name", ""), told.get("value", "")
            self.pieces.append(Piece(value, Role.VALUE, name, self._chosen.get(name) == value))
            self.ways[value] = Way(address=told.get("data-url", ""), is_post=False)

    def handle_endtag(self, tag: str) -> None:
        """See `HTMLParser`."""
        if self._hidden:
            self._depth -= tag == self._hidden
            self._hidden = self._hidden if self._depth else ""
        elif tag in ("button", "a"):
            self._role, self._way = Role.TEXT, None

    def handle_data(self, data: str) -> None:
        """See `HTMLParser`."""
        text = " ".join(data.split())
        if not text or self._hidden:
            return
        self.pieces.append(Piece(text, self._role))
        if self._way is not None:
            self.ways.setdefault(text.lower(), self._way)

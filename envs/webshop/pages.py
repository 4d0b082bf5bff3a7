"""The pages of the shop: what stands on them, what can be clicked, and how they read as text.

A page is a list of pieces in the order of WebShop's own HTML; what its browser makes of white
space is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property

from agentgym.envs.webshop.product import Product

PER_PAGE = 10
BUY, BACK, PREVIOUS, NEXT = "Buy Now", "Back to Search", "< Prev", "Next >"
SUB_PAGES = ("Description", "Features", "Reviews", "Attributes")

THANKS = (
    "Thank you for shopping with us!", "Your code: ", "None",
    " (Paste it in your MTurk interface.)",
)  # fmt: skip
EMPTY = (
    "attrs", "None", "category", "None", "query", "None", "product category", "None", "Target",
    "asin", "options", "attrs", "price upper", "instuction text", "category", "product category",
    "query", "Goal ", "None", "Reward",
)  # fmt: skip
"""What WebShop's text environment leaves blank; it tells nothing of the target."""
SCORE, DETAILS = "Your score (min 0.0, max 1.0)", ("Reward Details ", "None")


class Role(Enum):
    """What a piece is on its page."""

    TEXT = auto()
    BUTTON = auto()
    LINK = auto()
    """Leads to a product."""
    VALUE = auto()
    """An option's value, to choose."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One text on a page."""

    text: str
    role: Role = Role.TEXT
    option: str = ""
    """Whose value it is."""
    is_chosen: bool = False
    """A value that is chosen, or a product that was visited."""
    is_hidden: bool = False
    """By a browser; the text modes show it."""


@dataclass(frozen=True)
class Page:
    """Pieces in their order."""

    pieces: Sequence[Piece]

    @cached_property
    def clickables(self) -> Mapping[str, Piece]:
        """What a click must say, and what it hits: buttons, then products, then values.

        Where two say the same the last one is hit: a value that two options share is the second
        one's.
        """
        found: dict[str, Piece] = {}
        for role in (Role.BUTTON, Role.LINK):
            found |= {piece.text.lower(): piece for piece in self.pieces if piece.role is role}
        return found | {piece.text: piece for piece in self.pieces if piece.role is Role.VALUE}

    @property
    def plain(self) -> str:
        """The mode `text`: the visible texts, "[SEP]" between them."""
        return " [SEP] ".join(piece.text.strip() for piece in self.pieces if _is_seen(piece.text))

    @property
    def rich(self) -> str:
        """The mode `text_rich`: a text a line; what can be clicked, and what was, is marked."""
        lines: list[str] = []
        chosen: list[str] = []
        for piece in self.pieces:
            text = piece.text
            if not _is_seen(text):
                continue
            if piece.role is not Role.TEXT:
                mark = "clicked button" if piece.is_chosen else "button"
                indent = {Role.VALUE: "  ", Role.LINK: "\n"}.get(piece.role, "")
                text = f"{indent}[{mark}] {text} [{mark}_]"
            if piece.role is Role.VALUE and piece.is_chosen:
                chosen.insert(0, f"You have clicked {piece.text}.\n")
            lines.append(f"{text}\n")
        return "".join((*chosen, *lines))


def _is_seen(text: str) -> bool:
    """An empty text is no text, and white space with a line break in it is layout."""
    return bool(text) and not ("\n" in text and not text.strip(" \n\t\f\r"))


def _button(text: str) -> Piece:
    return Piece(text, Role.BUTTON)


def _top(instruction: str) -> list[Piece]:
    return [Piece("Instruction:"), Piece(instruction), _button(BACK)]


def search_page(instruction: str) -> Page:
    """Where a session begins."""
    texts = [Piece("WebShop"), Piece("Instruction: "), Piece(instruction), _button("Search")]
    return Page(texts)


def results_page(
    instruction: str, results: Sequence[Product], number: int, *, visited: Set[str]
) -> Page:
    """Ten results; there is always a next page, which may be empty."""
    pieces = _top(instruction)
    pieces.append(Piece(f"Page {number} (Total results: {len(results)})"))
    pieces += [_button(PREVIOUS), _button(NEXT)] if number > 1 else [_button(NEXT)]
    for product in results[(number - 1) * PER_PAGE : number * PER_PAGE]:
        was_visited = product.asin in visited
        pieces.append(Piece(product.asin, Role.LINK, is_chosen=was_visited))
        pieces += [Piece(product.title), Piece(product.price_text)]
    return Page(pieces)


def item_page(
    instruction: str,
    product: Product,
    options: Mapping[str, str],
    *,
    trail: str,
    show_attributes: bool,
) -> Page:
    """A product and its options.

    Args:
        trail: where the page is, but for its options. WebShop takes for chosen whatever value
            stands in quotes in a page's address, in whichever place.
    """
    address = f"{trail}/{json.dumps(dict(options))}"
    pieces = [*_top(instruction), _button(PREVIOUS)]
    for name, values in product.options.items():
        pieces.append(Piece(name))
        for value in values:
            pieces.append(Piece(value, Role.VALUE, name, f'"{value}"' in address))
    pieces += [Piece(product.title), Piece(f"Price: {product.price_text}"), Piece("Rating: N.A.")]
    pieces += map(_button, SUB_PAGES if show_attributes else SUB_PAGES[:3])
    return Page([*pieces, _button(BUY)])


def sub_page(instruction: str, product: Product, name: str) -> Page:
    """One of `SUB_PAGES` of a product; nobody has written reviews."""
    texts: list[str] = []
    if name == "Description":
        texts = [product.description]
    elif name == "Features":
        texts = [f" {bullet}" for bullet in product.bullets]
    elif name == "Attributes":
        texts = [f" {attribute}" for attribute in product.attributes]
        texts += [product.category, product.query, product.product_category]
    return Page([*_top(instruction), _button(PREVIOUS), *map(Piece, texts)])


def done_page(asin: str, options: Mapping[str, str], reward: float) -> Page:
    """The end. WebShop hides most of it in a browser, and shows all of it as text."""
    chosen = json.dumps(dict(options), sort_keys=True)
    for char in "<>&'":  # as Flask writes JSON into a page
        chosen = chosen.replace(char, f"\\u{ord(char):04x}")
    purchase = ("Purchased", "asin", asin, "options", chosen)
    hidden = [Piece(text, is_hidden=True) for text in (*purchase, *EMPTY)]
    details = [Piece(text, is_hidden=True) for text in DETAILS]
    return Page([*map(Piece, THANKS), *hidden, Piece(SCORE), Piece(str(reward)), *details])

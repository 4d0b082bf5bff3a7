"""A session in the shop: which page it is on, and where a search or a click leads."""

from __future__ import annotations

import json
from enum import StrEnum

from agentgym.envs.webshop.pages import (
    BACK,
    BUY,
    NEXT,
    PREVIOUS,
    SUB_PAGES,
    Page,
    Role,
    done_page,
    item_page,
    results_page,
    search_page,
    sub_page,
)
from agentgym.envs.webshop.product import Product
from agentgym.envs.webshop.shop import Shop


class Place(StrEnum):
    """The kind of page that a session is on."""

    SEARCH = "search"
    RESULTS = "results"
    ITEM = "item"
    SUB = "sub"
    DONE = "done"


class Session:
    """One visitor's way through a shop, as WebShop's server keeps it."""

    def __init__(
        self, shop: Shop, instruction: str, *, seed: str, show_attributes: bool = False
    ) -> None:
        """Enter the shop.

        Args:
            seed: what products at random hang on, besides how often was searched.
            show_attributes: whether items have a page of attributes.
        """
        self.shop = shop
        self._instruction = instruction
        self._seed = seed
        self._show_attributes = show_attributes
        self._num_searches = 0
        self._start()

    def _start(self) -> None:
        """The search page, with nothing looked for and nothing seen."""
        self.place = Place.SEARCH
        self.keywords: tuple[str, ...] = ()
        self.number = 0
        """Of the page of results."""
        self.product: Product | None = None
        """The one that is looked at."""
        self.options: dict[str, str] = {}
        """Name -> the value chosen."""
        self._visited: set[str] = set()
        self.page: Page = search_page(self._instruction)

    def search(self, words: str) -> None:
        """Search, from whatever page."""
        self._show_results(tuple(words.split(" ")), 1)

    def _show_results(self, keywords: tuple[str, ...], number: int) -> None:
        self.place, self.keywords, self.number = Place.RESULTS, keywords, number
        self.product, self.options = None, {}
        self._num_searches += 1  # every page is searched for anew
        results = self.shop.search(keywords, seed=f"{self._seed} {self._num_searches}")
        self.page = results_page(self._instruction, results, number, visited=self._visited)

    def click(self, name: str) -> None:
        """Click on one of the page's clickables; what it says decides, then what it is."""
        piece = self.page.clickables[name]
        if name == BUY.lower():
            self.place = Place.DONE
        elif name == BACK.lower():
            self._start()
        elif self.place is Place.RESULTS and name in (NEXT.lower(), PREVIOUS.lower()):
            self._show_results(self.keywords, self.number + (1 if name == NEXT.lower() else -1))
        elif self.place is Place.ITEM and name == PREVIOUS.lower():
            self._show_results(self.keywords, self.number)
        elif name.title() in SUB_PAGES:
            self._show_sub_page(name.title())
        else:
            if piece.role is Role.LINK:
                self.product = self.shop.by_asin[piece.text]
                self._visited.add(piece.text)
            elif piece.role is Role.VALUE:
                self.options[piece.option] = name
            self._show_item()

    @property
    def bought(self) -> Product:
        """What was looked at when "Buy Now" was clicked."""
        assert self.product is not None, "only items can be bought"
        return self.product

    def _show_item(self) -> None:
        self.place = Place.ITEM
        trail = f"{self.bought.asin}/{'+'.join(self.keywords)}/{self.number}"
        self.page = item_page(
            self._instruction,
            self.bought,
            self.options,
            trail=trail,
            show_attributes=self._show_attributes,
        )

    def _show_sub_page(self, name: str) -> None:
        self.place = Place.SUB
        self.page = sub_page(self._instruction, self.bought, name)

    def show_end(self, reward: float) -> None:
        """The page after a purchase."""
        self.page = done_page(self.bought.asin, self.options, reward)

    @property
    def state(self) -> str:
        """What all that can still happen hangs on, but for which products are marked as visited.

        In the mode `text` nothing on a page tells which options are chosen.
        """
        asin = self.product.asin if self.product else ""
        text = self.page.plain if self.place in (Place.SUB, Place.DONE) else ""
        options = dict(sorted(self.options.items()))
        return json.dumps([self.place, self.keywords, self.number, asin, options, text])

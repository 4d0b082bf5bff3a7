"""A shop: products, and the search over them.

Where Lucene keeps the length of a document in one byte, ours is exact, so that nearly equal scores
may come in another order.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Literal, TypeAlias

import Stemmer

from agentgym.cache import cache_folder
from agentgym.envs.indexing.bm25 import Documents, open_index
from agentgym.envs.indexing.words import STOP_WORDS
from agentgym.envs.webshop.catalogue import SIZES, draw_products
from agentgym.envs.webshop.product import Product
from agentgym.errors import unknown
from agentgym.registry import load

NUM_HITS = 50
K1, B = 0.9, 0.4
"""Pyserini's, which WebShop searches with."""
FORMAT = 1
"""Rises when the same products give another index."""

Engine: TypeAlias = Literal["bm25s", "tantivy"]
Best: TypeAlias = Callable[[Sequence[str], int], list[int]]
"""The rows of the best so many documents for these words."""

TERM = re.compile(
    r"\w+(?:(?<=[^\W\d])['\u2019.:](?=[^\W\d])\w+|(?<=\d)[.,;'](?=\d)\w+)*", re.UNICODE
)
"""Letters may be joined by apostrophes, points and colons, digits by points and commas."""
POSSESSIVE = ("'s", "\u2019s")
_stem = Stemmer.Stemmer("porter").stemWord


def terms(text: str) -> list[str]:
    """The stems that search goes by, in their order, repeated ones too.

    Source: Lucene's analyzer for English, whose stemmer leaves words of one or two letters alone;
    its tokenizer follows Unicode's rules, which the expression keeps for what titles have.

    >>> terms("The men's running shoes, size 8.5, and U.S.A flags")
    ['men', 'run', 'shoe', 'size', '8.5', 'u.s.a', 'flag']
    """
    words = (word.removesuffix(POSSESSIVE[0]) for word in TERM.findall(text.lower()))
    words = (word.removesuffix(POSSESSIVE[1]) for word in words)
    return [_stem(word) if len(word) > 2 else word for word in words if word not in STOP_WORDS]


def _open_bm25s(name: str, documents: Documents) -> Best:
    folder = cache_folder() / "webshop" / f"bm25s-{FORMAT}-{version('bm25s')}-{name}"
    index = open_index(folder, documents, k1=K1, b=B)
    return lambda words, count: [row for row, _ in index.best(words, count)]


def _open_tantivy(name: str, documents: Documents) -> Best:
    open_disk_index = load("agentgym.envs.indexing.disk:open_disk_index")
    folder = cache_folder() / "webshop" / f"tantivy-{FORMAT}-{version('tantivy')}-{name}"
    index = open_disk_index(
        folder, lambda: ((words, b"%d" % row) for row, words in enumerate(documents()))
    )
    return lambda words, count: [int(row) for row, _ in index.best(words, count)]


ENGINES: Mapping[str, Callable[[str, Documents], Best]] = {
    "bm25s": _open_bm25s,
    "tantivy": _open_tantivy,
}
"""Name -> what opens it, told what tells these products from all others."""


class Shop:
    """Products in a fixed order, and what finds them."""

    def __init__(self, products: Sequence[Product], *, engine: Engine = "bm25s") -> None:
        """Open the shop; its index is built once and kept in the cache folder.

        Args:
            engine: what searches. `tantivy` has constants of its own (k1 1.2, b 0.75), so that it
                ranks otherwise, and needs less memory.

        Raises:
            UsageError: there is no such engine, or its package is missing.
            EnvError: the index of `tantivy` cannot be written or read.
        """
        if engine not in ENGINES:
            raise unknown("search engine", engine, ENGINES)
        self.products = products
        self.by_asin = {product.asin: product for product in products}
        documents = [product.document for product in products]
        digest = hashlib.sha256("\0".join(documents).encode("utf-8", "surrogatepass")).hexdigest()
        name = f"{version('PyStemmer')}-{digest[:16]}"
        self._best = ENGINES[engine](name, lambda: map(terms, documents))
        # Pages of results are asked for again and again: by turning them and by coming back.
        self._find = lru_cache(maxsize=1024)(self._search_words)

    def search(self, keywords: tuple[str, ...], *, seed: str) -> Sequence[Product]:
        """What a search finds: the best `NUM_HITS` products, or all that a special word names.

        Special are, as the first keyword: `<r>`, products at random, `<a>` those with an
        attribute, `<c>` of a category, `<q>` of a query.

        Args:
            seed: what the products at random hang on.
        """
        first, rest = keywords[0], " ".join(keywords[1:]).strip()
        if first == "<r>":
            count = min(NUM_HITS, len(self.products))
            return random.Random(seed).sample(self.products, count)
        if first == "<a>":
            return [each for each in self.products if rest in each.attributes]
        if first == "<c>":
            category = keywords[1].strip() if rest else ""
            return [each for each in self.products if each.category == category]
        if first == "<q>":
            return [each for each in self.products if each.query == rest]
        text = " ".join(keywords).encode("utf-8", "replace").decode()  # no lone surrogates
        return self._find(text)

    def _search_words(self, text: str) -> tuple[Product, ...]:
        return tuple(self.products[row] for row in self._best(terms(text), NUM_HITS))


@cache
def open_shop(size: str | int, engine: Engine = "bm25s") -> Shop:
    """The generated shop of a named size or of so many products; opened once per process.

    Raises:
        UsageError: there is no shop of that size, or no such engine.
    """
    if isinstance(size, str) and size not in SIZES:
        raise unknown("size of shop", size, SIZES)
    products = draw_products(SIZES[size] if isinstance(size, str) else size)
    return Shop(products, engine=engine)

"""bm25s: BM25 in NumPy, in memory, its index kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import bm25s
from pydantic import BaseModel, ConfigDict, Field

from agentgym.cache import cache_folder
from agentgym.envs.indexing.bm25 import WordIndex, open_index
from agentgym.envs.indexing.words import words
from agentgym.envs.search.corpus import Corpus, Passage
from agentgym.envs.search.retrievers import Hit

FORMAT = 1
"""Rises when the same corpus and settings give another index."""


class Bm25s(BaseModel):
    """Lucene's BM25 over lower-case words, English stop words left out, no stemming.

    The index is built once and kept in the cache folder, by the hash of the corpus; processes
    share it in memory. Where it cannot be written it is built anew each time.

    Source: bm25s (2407.03618). `k1` and `b` are Pyserini's defaults, which Search-R1's BM25
    server uses; that one also stems (Porter).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    k1: float = Field(default=0.9, ge=0)
    """How soon more occurrences of a word stop to count."""
    b: float = Field(default=0.4, ge=0, le=1)
    """How much a long passage is held against it."""

    def __call__(self, corpus: Callable[[], Corpus]) -> Bm25sRetriever:
        """See `RetrieverPlugin`."""
        return self.open(corpus())

    def open(self, corpus: Corpus) -> Bm25sRetriever:
        """The stored index of the corpus, or a new one."""
        name = f"bm25s-{FORMAT}-{bm25s.__version__}-{corpus.hash}-{self.k1:g}-{self.b:g}"
        folder = cache_folder() / "search" / name
        index = open_index(folder, lambda: map(words_of, corpus), k1=self.k1, b=self.b)
        return Bm25sRetriever(index, corpus)


class Bm25sRetriever:
    """An index and the passages that its rows stand for."""

    def __init__(self, index: WordIndex, corpus: Corpus) -> None:
        self._index = index
        self._passages = corpus.passages

    def search(self, queries: Sequence[str], *, topk: int) -> list[list[Hit]]:
        """See `Retriever.search`; among equal scores, the passage that comes first in the corpus.

        A passage without any of a query's words is no hit.
        """
        return [
            [
                Hit(passage=self._passages[row], score=score)
                for row, score in self._index.best(words(query), topk)
            ]
            for query in queries
        ]


def words_of(passage: Passage) -> list[str]:
    """What of a passage is indexed."""
    return words(passage.contents)


def build_index(corpus: Corpus, *, k1: float, b: float) -> WordIndex:
    """A new index of a corpus; needs no disk."""
    return WordIndex.build(map(words_of, corpus), k1=k1, b=b)

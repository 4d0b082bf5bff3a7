"""bm25s: BM25 in NumPy, in memory, its index kept on disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agentgym.cache import cache_folder
from agentgym.envs.search.corpus import Corpus
from agentgym.envs.search.retrievers import Hit
from agentgym.envs.search.retrievers.ranking import best_rows
from agentgym.envs.search.retrievers.stored import stored
from agentgym.envs.search.retrievers.words import words

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
        index = _load(folder)
        if index is None:
            shutil.rmtree(folder, ignore_errors=True)  # a damaged one
            index = build_index(corpus, k1=self.k1, b=self.b)
            # A full or read-only disk costs time, not the search.
            with suppress(OSError), stored(folder) as made:
                index.save(made, show_progress=False)
        return Bm25sRetriever(index, corpus)


class Bm25sRetriever:
    """An index and the passages that its rows stand for."""

    def __init__(self, index: bm25s.BM25, corpus: Corpus) -> None:
        self._index = index
        self._passages = corpus.passages

    def search(self, queries: Sequence[str], *, topk: int) -> list[list[Hit]]:
        """See `Retriever.search`; among equal scores, the passage that comes first in the corpus.

        A passage without any of a query's words is no hit.
        """
        return [self._search(query, topk) for query in queries]

    def _search(self, query: str, topk: int) -> list[Hit]:
        known = self._index.vocab_dict
        ids = [known[word] for word in words(query) if word in known]
        if not ids:
            return []
        scores = self._index.get_scores_from_ids(ids)
        best = best_rows(scores, np.flatnonzero(scores), topk)
        return [Hit(passage=self._passages[row], score=float(scores[row])) for row in best]


def build_index(corpus: Corpus, *, k1: float, b: float) -> bm25s.BM25:
    """A new index of a corpus; needs no disk."""
    # Words are numbered as they first occur, so that an index is the same in every process.
    vocabulary: dict[str, int] = {}
    ids = [
        [vocabulary.setdefault(word, len(vocabulary)) for word in words(passage.contents)]
        for passage in corpus
    ]
    index = bm25s.BM25(method="lucene", k1=k1, b=b, backend="numpy")
    index.index((ids, vocabulary), show_progress=False)
    return index


def _load(folder: Path) -> Any:
    """The stored index; None where there is none, or a damaged one."""
    try:
        return bm25s.BM25.load(folder, mmap=True, show_progress=False)
    except (OSError, ValueError, KeyError, TypeError):
        return None

"""tantivy: BM25 on disk, for millions of passages."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib import metadata

from pydantic import BaseModel, ConfigDict

from agentgym.cache import cache_folder
from agentgym.envs.indexing.disk import DiskIndex, open_disk_index
from agentgym.envs.indexing.words import words
from agentgym.envs.search.corpus import Corpus, Passage
from agentgym.envs.search.retrievers import Hit

FORMAT = 2
"""Rises when the same corpus gives another index."""


class Tantivy(BaseModel):
    """BM25 with tantivy's constants (k1 1.2, b 0.75) over the same words as `bm25s`.

    The constants cannot be set, and they rank otherwise than the default ones of `bm25s` (0.9 and
    0.4): long passages are held against themselves. In the fictional world, a search for a name
    finds a shorter passage that has both of its words before the thing's own for 288 of 20,160
    names; 7 are not among the first three. So let the environment show three (`topk`).

    The index holds the passages too, so neither it nor the corpus is held in memory. It is built
    once and kept in the cache folder, by the hash of the corpus; a damaged one is built anew.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __call__(self, corpus: Callable[[], Corpus]) -> TantivyRetriever:
        """See `RetrieverPlugin`.

        Raises:
            EnvError: the index cannot be written or read.
        """
        return self.open(corpus())

    def open(self, corpus: Corpus) -> TantivyRetriever:
        """The stored index of the corpus, or a new one."""
        name = f"tantivy-{FORMAT}-{metadata.version('tantivy')}-{corpus.hash}"
        rows = (
            (words(each.contents), json.dumps([each.id, each.contents]).encode()) for each in corpus
        )
        return TantivyRetriever(open_disk_index(cache_folder() / "search" / name, lambda: rows))


class TantivyRetriever:
    """An opened index."""

    def __init__(self, index: DiskIndex) -> None:
        self._index = index

    def search(self, queries: Sequence[str], *, topk: int) -> list[list[Hit]]:
        """See `Retriever.search`. The order of equal scores is tantivy's own."""
        return [
            [
                Hit(passage=_passage(content), score=score)
                for content, score in self._index.best(words(query), topk)
            ]
            for query in queries
        ]


def _passage(content: bytes) -> Passage:
    id_, contents = json.loads(content)
    return Passage(id=id_, contents=contents)

"""tantivy: BM25 on disk, for millions of passages."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import tantivy
from pydantic import BaseModel, ConfigDict

from agentgym.cache import cache_folder
from agentgym.envs.indexing.stored import stored
from agentgym.envs.indexing.words import words
from agentgym.envs.search.corpus import Corpus, Passage
from agentgym.envs.search.retrievers import Hit
from agentgym.errors import EnvError, boundary

FORMAT = 1
"""Rises when the same corpus gives another index."""
WORDS, PASSAGE = "words", "passage"
"""Fields: what is searched, and what is given back."""
HEAP_BYTES = 256 << 20
"""What an index may collect in memory before it writes a part of it."""


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
        folder = cache_folder() / "search" / name
        with boundary(EnvError, f"index '{folder}'"):
            if not _is_sound(folder):
                shutil.rmtree(folder, ignore_errors=True)
                with stored(folder) as made:
                    _build(corpus, made)
            return TantivyRetriever(tantivy.Index.open(str(folder)))


class TantivyRetriever:
    """An opened index."""

    def __init__(self, index: Any) -> None:
        self._schema = index.schema
        self._searcher = index.searcher()

    def search(self, queries: Sequence[str], *, topk: int) -> list[list[Hit]]:
        """See `Retriever.search`. The order of equal scores is tantivy's own."""
        with boundary(EnvError, "tantivy"):
            return [self._search(query, topk) for query in queries]

    def _search(self, query: str, topk: int) -> list[Hit]:
        # Built from its words: as text it would be read in tantivy's query language.
        make = tantivy.Query
        terms = [
            (tantivy.Occur.Should, make.boost_query(self._term(word), float(count)))
            for word, count in Counter(words(query)).items()
        ]
        if not terms:
            return []
        found = self._searcher.search(make.boolean_query(terms), topk)
        return [Hit(passage=self._passage(where), score=score) for score, where in found.hits]

    def _term(self, word: str) -> Any:
        return tantivy.Query.term_query(self._schema, WORDS, word)

    def _passage(self, where: Any) -> Passage:
        id_, contents = json.loads(bytes(self._searcher.doc(where).get_first(PASSAGE)))
        return Passage(id=id_, contents=contents)


def _is_sound(folder: Path) -> bool:
    """Whether an index is there that opens; its files' own checksums are not read."""
    try:
        TantivyRetriever(tantivy.Index.open(str(folder)))
    except (OSError, ValueError):
        return False
    return True


def _build(corpus: Corpus, folder: Path) -> None:
    builder = tantivy.SchemaBuilder()
    builder.add_bytes_field(PASSAGE, stored=True)
    builder.add_text_field(WORDS, tokenizer_name="whitespace", index_option="freq")
    index = tantivy.Index(builder.build(), path=str(folder))
    writer = index.writer(heap_size=HEAP_BYTES, num_threads=1)
    for passage in corpus:
        document = tantivy.Document()
        document.add_bytes(PASSAGE, json.dumps([passage.id, passage.contents]).encode())
        document.add_text(WORDS, " ".join(words(passage.contents)))
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()

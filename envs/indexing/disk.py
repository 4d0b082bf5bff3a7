"""An index of words on disk: tantivy's BM25 over documents that are lists of words."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import tantivy

from agentgym.envs.indexing.stored import stored
from agentgym.errors import EnvError, boundary

WORDS, CONTENT = "words", "content"
"""Fields: what is searched, and what is given back."""
HEAP_BYTES = 256 << 20
"""What an index may collect in memory before it writes a part of it."""

Documents = Callable[[], Iterable[tuple[Sequence[str], bytes]]]
"""Gives the words of every document, and what to give back when it is found."""


class DiskIndex:
    """BM25 with tantivy's constants (k1 1.2, b 0.75), which cannot be set."""

    def __init__(self, index: Any) -> None:
        self._schema = index.schema
        self._searcher = index.searcher()

    def best(self, words: Iterable[str], topk: int) -> list[tuple[bytes, float]]:
        """Contents and scores, the best first; the order of equal scores is tantivy's own.

        Raises:
            EnvError: the index cannot be read.
        """
        # Built from its words: as text it would be read in tantivy's query language.
        make = tantivy.Query
        terms = [
            (tantivy.Occur.Should, make.boost_query(self._term(word), float(count)))
            for word, count in Counter(words).items()
        ]
        if not terms:
            return []
        with boundary(EnvError, "tantivy"):
            found = self._searcher.search(make.boolean_query(terms), topk)
            return [(self._content(where), score) for score, where in found.hits]

    def _term(self, word: str) -> Any:
        return tantivy.Query.term_query(self._schema, WORDS, word)

    def _content(self, where: Any) -> bytes:
        return bytes(self._searcher.doc(where).get_first(CONTENT))


def open_disk_index(folder: Path, documents: Documents) -> DiskIndex:
    """The index stored in that folder, or a new one, stored there; a damaged one is built anew.

    The folder's name must say all that the index hangs on.

    Raises:
        EnvError: the index cannot be written or read.
    """
    with boundary(EnvError, f"index '{folder}'"):
        if not _is_sound(folder):
            shutil.rmtree(folder, ignore_errors=True)
            with stored(folder) as made:
                _build(documents(), made)
        return DiskIndex(tantivy.Index.open(str(folder)))


def _is_sound(folder: Path) -> bool:
    """Whether an index is there that opens; its files' own checksums are not read."""
    try:
        DiskIndex(tantivy.Index.open(str(folder)))
    except (OSError, ValueError):
        return False
    return True


def _build(documents: Iterable[tuple[Sequence[str], bytes]], folder: Path) -> None:
    builder = tantivy.SchemaBuilder()
    builder.add_bytes_field(CONTENT, stored=True)
    builder.add_text_field(WORDS, tokenizer_name="whitespace", index_option="freq")
    index = tantivy.Index(builder.build(), path=str(folder))
    writer = index.writer(heap_size=HEAP_BYTES, num_threads=1)
    for words, content in documents:
        document = tantivy.Document()
        document.add_bytes(CONTENT, content)
        document.add_text(WORDS, " ".join(words))
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()

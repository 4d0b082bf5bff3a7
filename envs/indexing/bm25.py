"""An index of words: BM25 in NumPy over documents that are lists of words, kept on disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import bm25s
import numpy as np

from agentgym.envs.indexing.ranking import best_rows
from agentgym.envs.indexing.stored import stored

Documents = Callable[[], Iterable[Sequence[str]]]
"""Gives the words of every document, in the documents' order."""


class WordIndex:
    """Lucene's BM25 over documents, which are rows.

    Source: bm25s (2407.03618).
    """

    def __init__(self, index: bm25s.BM25) -> None:
        self._index = index

    @classmethod
    def build(cls, documents: Iterable[Sequence[str]], *, k1: float, b: float) -> WordIndex:
        """A new index; needs no disk."""
        # Words are numbered as they first occur, so that an index is the same in every process.
        vocabulary: dict[str, int] = {}
        ids = [
            [vocabulary.setdefault(word, len(vocabulary)) for word in document]
            for document in documents
        ]
        index = bm25s.BM25(method="lucene", k1=k1, b=b, backend="numpy")
        index.index((ids, vocabulary), show_progress=False)
        return cls(index)

    @classmethod
    def find(cls, folder: Path) -> WordIndex | None:
        """The index stored there; None where there is none, or a damaged one."""
        try:
            return cls(bm25s.BM25.load(folder, mmap=True, show_progress=False))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, folder: Path) -> None:
        """Store it.

        Raises:
            OSError: the disk is full or read-only.
        """
        self._index.save(folder, show_progress=False)

    def best(self, words: Iterable[str], topk: int) -> list[tuple[int, float]]:
        """Rows and scores, the best first; among equal scores, the row that comes first.

        A document without any of the words is no hit.
        """
        known = self._index.vocab_dict
        ids = [known[word] for word in words if word in known]
        if not ids:
            return []
        scores = self._index.get_scores_from_ids(ids)
        rows = best_rows(scores, np.flatnonzero(scores), topk)
        return [(int(row), float(scores[row])) for row in rows]


def open_index(folder: Path, documents: Documents, *, k1: float, b: float) -> WordIndex:
    """The index stored in that folder, or a new one, stored there.

    The folder's name must say all that the index hangs on. Where it cannot be written, the index
    is built anew each time.
    """
    index = WordIndex.find(folder)
    if index is None:
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one
        index = WordIndex.build(documents(), k1=k1, b=b)
        # A full or read-only disk costs time, not the search.
        with suppress(OSError), stored(folder) as made:
            index.save(made)
    return index

"""An index of words: BM25 in NumPy over documents that are lists of words, kept on disk."""

from __future__ import annotations

import shutil
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import bm25s
import numpy as np
import numpy.typing as npt

from agentgym.envs.indexing.ranking import best_rows
from agentgym.envs.indexing.stored import stored

Documents = Callable[[], Iterable[Sequence[str]]]
"""Gives the words of every document, in the documents' order."""
Integers: TypeAlias = npt.NDArray[np.int64]


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
        vocabulary: defaultdict[str, int] = defaultdict()
        vocabulary.default_factory = vocabulary.__len__
        ids, lengths = array("q"), array("q")
        for document in documents:
            ids.extend(map(vocabulary.__getitem__, document))
            lengths.append(len(document))
        index = bm25s.BM25(method="lucene", k1=k1, b=b, backend="numpy")
        # Its own `index` gives the same, but goes over all documents three times, in Python.
        index.vocab_dict, index.nonoccurrence_array = dict(vocabulary), None
        index.scores = _scores(np.asarray(ids), np.asarray(lengths), k1=k1, b=b)
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


def _scores(ids: Integers, lengths: Integers, *, k1: float, b: float) -> dict[str, Any]:
    """What each word adds to the score of each document that has it, laid out as bm25s wants it.

    Args:
        ids: numbers of the words of all documents, one document after the other.
        lengths: how many words each document has.
    """
    num_docs = len(lengths)
    rows = np.repeat(np.arange(num_docs), lengths)
    # One sort brings equal words of a document together, and all into columns.
    pairs, counts = np.unique(ids * num_docs + rows, return_counts=True)
    rows = pairs % num_docs
    spread = np.bincount(pairs // num_docs)
    idf = np.log(1 + (num_docs - spread + 0.5) / (spread + 0.5)).astype(np.float32)
    tf = counts / (k1 * (1 - b + b * lengths[rows] / lengths.mean()) + counts)
    return {
        "data": (np.repeat(idf, spread) * tf).astype(np.float32),
        "indices": rows.astype(np.int32),
        "indptr": np.concatenate([[0], np.cumsum(spread)]),
        "num_docs": num_docs,
    }


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

"""dense: passages whose meaning is near the query's, by a sentence encoder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from agentgym.cache import cache_folder
from agentgym.envs.indexing.ranking import best_rows
from agentgym.envs.indexing.stored import stored
from agentgym.envs.search.corpus import Corpus
from agentgym.envs.search.retrievers import Hit
from agentgym.errors import EnvError, UsageError, boundary
from agentgym.registry import load

FORMAT = 1
"""Rises when the same corpus, model and settings give another index."""
FILE = "embeddings.npy"
BATCH = 32
"""Passages encoded at once."""

Vectors = npt.NDArray[np.float32]


class Dense(BaseModel):
    """Exact search by the cosine between embeddings: the mean of the last hidden states.

    For encoders of the MiniLM type (`sentence-transformers/all-MiniLM-L6-v2`), which take texts
    as they are. The embeddings are made once and kept in the cache folder, by the hashes of corpus
    and model; processes share them in memory. Where they cannot be written they are made anew.

    Needs the extra `train`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    """A model folder or hub name."""
    max_tokens: int = Field(default=256, ge=1)
    """A longer text is cut; 256 is what all-MiniLM-L6-v2 was trained with."""
    device: str = "cpu"
    """Where the encoder runs; by default away from the GPU that a policy trains on."""

    def __call__(self, corpus: Callable[[], Corpus]) -> DenseRetriever:
        """See `RetrieverPlugin`.

        Raises:
            UsageError: the model cannot be loaded.
        """
        load_encoder = load("agentgym.trainers.encoder:load_encoder")
        with boundary(UsageError, f"cannot load the encoder '{self.model}'"):
            encoder = load_encoder(self.model, max_tokens=self.max_tokens, device=self.device)
        return DenseRetriever(encoder, corpus())


class Encoder(Protocol):
    """Texts to unit vectors: the trainers' encoder, which is a model."""

    def hash(self) -> str:
        """Of all that the vectors depend on."""
        ...

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """`[len(texts), D]`."""
        ...


class DenseRetriever:
    """An encoder, and the embeddings of all passages."""

    def __init__(self, encoder: Encoder, corpus: Corpus) -> None:
        self._encoder = encoder
        self._passages = corpus.passages
        self._vectors = open_vectors(encoder, corpus)
        self._rows = np.arange(len(self._passages))

    def search(self, queries: Sequence[str], *, topk: int) -> list[list[Hit]]:
        """See `Retriever.search`; among equal scores, the passage that comes first in the corpus.

        Every passage fits every query more or less, so there are always `topk` hits.
        """
        with boundary(EnvError, "dense"):
            return [self._search(query, topk) for query in queries]

    def _search(self, query: str, topk: int) -> list[Hit]:
        # Alone, not in a batch: what is found never depends on what else was asked.
        scores = self._vectors @ self._encoder([query])[0]
        best = best_rows(scores, self._rows, topk)
        return [Hit(passage=self._passages[row], score=float(scores[row])) for row in best]


def open_vectors(encoder: Encoder, corpus: Corpus) -> Vectors:
    """The stored embeddings of the corpus `[P, D]`, or new ones."""
    folder = cache_folder() / "search" / f"dense-{FORMAT}-{corpus.hash}-{encoder.hash()}"
    vectors = _load(folder / FILE)
    if vectors is None:
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one
        vectors = _embed(encoder, [passage.contents for passage in corpus.passages])
        # A full or read-only disk costs time, not the search.
        with suppress(OSError), stored(folder) as made:
            np.save(made / FILE, vectors)
    return vectors


def _embed(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    """Embeddings of texts of about one length at a time, since padding costs as much as text."""
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    made = [
        encoder([texts[row] for row in order[start : start + BATCH]])
        for start in range(0, len(order), BATCH)
    ]
    vectors = np.concatenate(made)
    vectors[order] = vectors.copy()
    return vectors


def _load(file: Path) -> Vectors | None:
    """The stored embeddings; None where there are none, or damaged ones."""
    try:
        vectors: Vectors = np.load(file, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return vectors

"""BM25 as Lucene computes it, one document and one word at a time."""

from __future__ import annotations

import math


def scores(query: list[str], documents: list[list[str]], *, k1: float, b: float) -> list[float]:
    """One score per document; a word that the query repeats counts each time."""
    mean_length = sum(map(len, documents)) / len(documents)
    found = []
    for document in documents:
        total = 0.0
        for word in query:
            frequency = document.count(word)
            holding = sum(word in other for other in documents)
            if frequency:
                rarity = math.log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
                norm = k1 * (1 - b + b * len(document) / mean_length)
                total += rarity * frequency / (frequency + norm)
        found.append(total)
    return found

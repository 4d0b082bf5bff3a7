"""Texts that are nearly equal as one, for states and actions that never repeat word by word."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher


def first_fit(texts: Iterable[str], threshold: float) -> dict[str, int]:
    """A number for each distinct text: that of the first cluster whose founder it resembles.

    A text founds a cluster of its own when `SequenceMatcher.ratio` is below `threshold` for every
    founder so far. So the result depends on the order of the texts, and the time grows with texts
    times clusters times the square of their length.

    Source: the clustering of GiGPO's released code, which calls it similarity-based grouping.

    >>> first_fit(["You see a mug 1.", "You see a mug 2.", "Nothing happens."], 0.9)
    {'You see a mug 1.': 0, 'You see a mug 2.': 0, 'Nothing happens.': 1}
    """
    founders: list[SequenceMatcher[str]] = []
    clusters: dict[str, int] = {}
    for text in dict.fromkeys(texts):
        place = next(
            (i for i, founder in enumerate(founders) if _alike(founder, text, threshold)),
            len(founders),
        )
        if place == len(founders):
            founders.append(SequenceMatcher(None, "", text))
        clusters[text] = place
    return clusters


def _alike(founder: SequenceMatcher[str], text: str, threshold: float) -> bool:
    founder.set_seq1(text)
    # The first two are upper bounds of the third, and much cheaper.
    return (
        founder.real_quick_ratio() >= threshold
        and founder.quick_ratio() >= threshold
        and founder.ratio() >= threshold
    )

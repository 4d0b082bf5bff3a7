"""What counts as a word for retrievers that match words."""

from __future__ import annotations

import re

WORD = re.compile(r"\w+")
STOP_WORDS = frozenset(
    """a an and are as at be but by for if in into is it no not of on or such that the their then
    there these they this to was will with""".split()
)
"""Lucene's for English."""


def words(text: str) -> list[str]:
    """The words that count, in lower case and in their order, repeated ones too; no stemming.

    >>> words("The harbor's gate, and a HARBOR")
    ['harbor', 's', 'gate', 'harbor']
    """
    return [word for word in WORD.findall(text.lower()) if word not in STOP_WORDS]

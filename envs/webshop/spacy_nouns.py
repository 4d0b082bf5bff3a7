"""The nouns of a product title as spaCy tells them, as in WebShop's own code."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import spacy

from agentgym.errors import UsageError


def open_spacy(model: str) -> Callable[[str], tuple[str, ...]]:
    """What tells the nouns and names of a title, in lower case, repeated ones each time.

    Args:
        model: an installed package, or a folder.

    Raises:
        UsageError: there is no such model.
    """
    try:
        pipeline = spacy.load(model, exclude=["ner", "lemmatizer"])
    except OSError as error:
        raise UsageError(
            f"spaCy has no model '{model}'; models are not on PyPI, so get it with 'python -m "
            f"spacy download {model}' or name the folder of one: nouns 'spacy:FOLDER'"
        ) from error

    @lru_cache(maxsize=100_000)
    def find(title: str) -> tuple[str, ...]:
        return tuple(
            token.text.lower() for token in pipeline(title) if token.pos_ in ("NOUN", "PROPN")
        )

    return find

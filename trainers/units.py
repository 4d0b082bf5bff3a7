"""Units: the pieces of a text of many words; words that belong together are one piece.

`tiny` otherwise looks for the fixed phrases of its world. A shop's titles say ever new things in
the same words, and what has to be found again and copied are words, and names of several words
such as "navy blue": so a word is one piece wherever it stands, with the space before it. The
layout around them is found as a whole.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

CODE = r"(?<![A-Za-z\d])[A-Z]+\d[A-Z\d]*(?![A-Za-z\d])"
"""Capitals and digits, such as a product's number. No space belongs to it: it is copied from a page
into an action, where none stands before it."""
MARK = rf"[ \n]*(?<![A-Za-z\d])\[[A-Za-z_ ]+\](?: (?={CODE}))?"
"""Layout that is written in brackets: " [SEP]"; the space before a code belongs to it."""
WORD = r" ?[A-Za-z]+(?:[-'][A-Za-z\d]+)*\d*| ?\d+[A-Za-z]+(?:[-'][A-Za-z\d]+)*| ?\d+"
OPENED, SPACED = r"(?<=[a-z])\[(?![A-Z])", r"(?<=[a-z])\[ "
"""A bracket that opens what an action says; with a space behind it, the words within are the same
pieces as anywhere else, so that to copy them is to find them again."""
PRICE = r" ?\$\d+|\.\d+"
FORMS = (MARK, CODE, rf" +(?={CODE})", PRICE, WORD, r"[^A-Za-z\d ]+", " +")
PIECE = re.compile("|".join(FORMS))
IS_CODE, IS_WORDS = re.compile(CODE), re.compile(rf"(?:{WORD})(?: [A-Za-z\d].*)?")
IS_LAYOUT = re.compile(rf"(?:(?!{CODE})[^\d])*(?!{CODE})(?:[^\d ]|\] )")
BETWEEN = re.compile(rf"{MARK}|\n")
WORDS_TOGETHER, LAYOUT_TOGETHER = 0.8, 0.99
"""How often the rarer of two pieces must stand beside the other for both to be one."""
LAYOUT_SHARE = 0.05
"""What stands in so many of the texts is layout."""
LAYOUT_TEXTS = 1000
"""How many texts are looked through for it."""

Pair = tuple[str, str]


def find_units(texts: Sequence[str], *, min_count: int) -> list[str]:
    """Pieces that occur often enough, and the parts of joined ones; codes however rarely.

    >>> find_units(["in navy blue", "dark navy blue, size 8", "a size"], min_count=2)
    [' navy blue', ' blue', ' navy', ' size']
    """
    texts = [re.sub(OPENED, "[ ", text) for text in texts]
    # An instruction stands on every page of an episode: what is said is counted once.
    said = sorted({fragment for text in texts for fragment in BETWEEN.split(text)})
    words = _join_all([PIECE.findall(fragment) for fragment in said], min_count, _are_words)
    together = {piece for pieces in words for piece in pieces if IS_WORDS.fullmatch(piece)}
    cut = compile_units(together)
    head = [cut.findall(text) for text in texts[:LAYOUT_TEXTS]]
    least = max(min_count, round(LAYOUT_SHARE * len(head)))
    head = _join_all(head, least, _are_layout)
    layout = {piece for pieces in head for piece in pieces if len(PIECE.findall(piece)) > 1}
    cut = compile_units({*together, *layout})
    found = Counter(piece for text in texts for piece in cut.findall(text))
    kept = {piece for piece, count in found.items() if count >= min_count}
    kept |= {piece for piece in found if IS_CODE.fullmatch(piece)}
    kept |= {part for piece in kept for part in PIECE.findall(piece)}
    return sorted(kept, key=lambda piece: (-len(piece), piece))


def compile_units(units: Iterable[str]) -> re.Pattern[str]:
    """What cuts a text into those units where it has them, the longest first."""
    return re.compile("|".join(unit_forms(units)))


def unit_forms(units: Iterable[str]) -> list[str]:
    """Expressions for every piece of a text, the first that fits counts."""
    longer = sorted({u for u in units if len(PIECE.findall(u)) > 1}, key=lambda u: (-len(u), u))
    return [*map(_as_form, longer), *FORMS]


def _as_form(unit: str) -> str:
    """The unit where it neither begins nor ends within a word."""
    begin = r"(?<![A-Za-z\d])" if unit[0].isalnum() else ""
    end = r"(?![A-Za-z\d])" if unit[-1].isalnum() else rf"(?={CODE})" if unit[-1] == " " else ""
    return begin + re.escape(unit) + end


def _are_words(first: str, second: str, share: float) -> bool:
    follows = second[0] == " " and IS_WORDS.fullmatch(first) and IS_WORDS.fullmatch(second)
    return bool(follows) and share >= WORDS_TOGETHER


def _are_layout(first: str, second: str, share: float) -> bool:
    return share >= LAYOUT_TOGETHER and bool(IS_LAYOUT.fullmatch(first + second))


def _join_all(
    cut: list[list[str]], min_count: int, belong: Callable[[str, str, float], bool]
) -> list[list[str]]:
    """The texts' pieces, with those made one that belong together, until none do."""
    while True:
        alone = Counter(piece for pieces in cut for piece in pieces)
        together = Counter(pair for pieces in cut for pair in pairwise(pieces))
        joined = {
            (first, second)
            for (first, second), count in together.items()
            if count >= min_count
            and belong(first, second, count / min(alone[first], alone[second]))
        }
        if not joined:
            return cut
        cut = [_join(pieces, joined) for pieces in cut]


def _join(pieces: Sequence[str], joined: set[Pair]) -> list[str]:
    """The pieces with those pairs made one, from the left."""
    result: list[str] = []
    for piece in pieces:
        if result and (result[-1], piece) in joined:
            result[-1] += piece
        else:
            result.append(piece)
    return result

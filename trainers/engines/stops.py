"""Stop strings: where the text of sampled tokens completes one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

BROKEN_CHARS = 4
"""Text that is decoded from the middle on may begin with so many characters that are not there:
the rest of one that began in the token before, or a space that went."""


def completes(
    ids: Sequence[int], stop: Sequence[str], decode: Callable[[Sequence[int]], str]
) -> bool:
    """Whether one of the strings ends in the last token, none having ended before it.

    Only as many last tokens are decoded as it takes, so that an action costs what its length is.
    """
    num_chars = max(map(len, stop)) + len(decode(ids[-1:])) + BROKEN_CHARS
    size = num_chars
    text = decode(ids[-size:])
    # Some tokens have no text at all.
    while len(text) < num_chars and size < len(ids):
        size *= 2
        text = decode(ids[-size:])
    return any(string in text for string in stop)

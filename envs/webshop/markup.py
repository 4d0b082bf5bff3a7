"""A page of the shop as HTML: what `agentgym serve-webshop` serves and the mode `html` shows.

Its texts are those of the mode `text`, in their order; what a browser hides is marked. A button
posts what it does to the page's own address, so that nothing tells whose visit it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from agentgym.envs.webshop.pages import Page, Piece, Role

SEARCH_FIELD, CLICK_FIELD = "search", "click"
"""What a form posts: words to search for, or what was clicked."""
HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>WebShop</title>
<link rel="stylesheet" href="/shop.css">
</head>
<body>
"""
SEARCH_FORM = f"""<form method="post" role="search">
<input type="search" name="{SEARCH_FIELD}" aria-label="What to search for" required autofocus>
<button>Search</button>
</form>
"""


def document(body: str) -> str:
    """A whole document."""
    return f"{HEAD}<main>\n{body}</main>\n</body>\n</html>\n"


def markup(page: Page) -> str:
    """The page as a document of its own."""
    heading, *pieces = page.pieces
    return document(f"<h1>{escape(heading.text)}</h1>\n{''.join(_blocks(pieces))}")


def _blocks(pieces: Sequence[Piece]) -> Iterator[str]:
    """What stands below the heading; all but the search is one form."""
    if any(piece.role is Role.BUTTON and piece.text == "Search" for piece in pieces):
        yield from map(_text, (piece for piece in pieces if piece.role is Role.TEXT))
        yield SEARCH_FORM
        return
    first_link = next((i for i, each in enumerate(pieces) if each.role is Role.LINK), len(pieces))
    yield '<form method="post">\n'
    yield from _rows(pieces[:first_link])
    yield from _offers(pieces[first_link:])
    yield "</form>\n"


def _rows(pieces: Sequence[Piece]) -> Iterator[str]:
    """Texts, buttons, and the values of each option behind its name."""
    place = 0
    for (role, option), group in groupby(pieces, key=lambda piece: (piece.role, piece.option)):
        run = list(group)
        place += len(run)
        if role is Role.TEXT:
            is_legend = pieces[place : place + 1] and pieces[place].role is Role.VALUE
            yield from map(_text, run[:-1] if is_legend else run)
        elif role is Role.BUTTON:
            yield f"<p>\n{''.join(map(_button, run))}</p>\n"
        else:
            values = "".join(map(_button, run))
            yield f"<fieldset>\n<legend>{escape(option)}</legend>\n{values}</fieldset>\n"


def _offers(pieces: Sequence[Piece]) -> Iterator[str]:
    """The products found, each with the texts behind it."""
    if not pieces:
        return
    yield "<ol>\n"
    for place, piece in enumerate(pieces):
        if piece.role is Role.LINK:
            yield f"{'</li>' if place else ''}<li>\n{_button(piece)}"
        else:
            yield _text(piece)
    yield "</li>\n</ol>\n"


def _text(piece: Piece) -> str:
    return f"<p{' hidden' if piece.is_hidden else ''}>{escape(piece.text)}</p>\n"


def _button(piece: Piece) -> str:
    """A button; a value's says whether it is chosen, a product's whether it was visited."""
    # A value is clicked by what it says, all else whatever its case.
    said = piece.text if piece.role is Role.VALUE else piece.text.lower()
    mark = ""
    if piece.role is Role.VALUE:
        mark = f' aria-pressed="{str(piece.is_chosen).lower()}"'
    elif piece.is_chosen:
        mark = ' class="visited"'
    return (
        f'<button name="{CLICK_FIELD}" value="{escape(said)}"{mark}>{escape(piece.text)}</button>\n'
    )

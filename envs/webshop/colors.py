"""WebShop's colour words, and the one that a text is reduced to."""

from __future__ import annotations

COLORS = tuple(
    """alabaster apricot aqua ash asphalt azure banana beige black blue blush bordeaux bronze brown
    burgundy camel camo caramel champagne charcoal cheetah chestnut chocolate christmas coffee
    cognac copper coral cranberry cream crystal dark denim eggplant elephant espresso fuchsia gold
    granite grape graphite grass gray green grey heather indigo ivory ivy khaki lavender lemon
    leopard light lilac lime magenta maroon mauve merlot midnight mint mocha multicolor mushroom
    mustard natural navy nude olive orange peach pewter pink plum purple rainbow red rose royal rust
    sand sapphire seashell silver skull slate steel stone stonewash sunflower tan taupe teal tiger
    turquoise violet walnut wheat white wine yellow""".split()
)
"""In the order in which they are looked for. The list is WebShop's: rewards hang on it."""


def reduce_to_color(text: str) -> str:
    """The first of the colours that stands anywhere in the text; without one, the text.

    >>> reduce_to_color("navy blue"), reduce_to_color("standard"), reduce_to_color("x-large")
    ('blue', 'tan', 'x-large')
    """
    return next((color for color in COLORS if color in text), text)

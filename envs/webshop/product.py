"""A product: what a shop knows of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One product; the fields are WebShop's after it has read its files."""

    asin: str
    title: str
    description: str
    bullets: Sequence[str]
    """Its features, one a point."""
    price: float
    """What it costs; where a range is shown, a price within it."""
    price_text: str
    """What is shown: "$9.5" or "$9.5 to $20.0"."""
    category: str
    product_category: str
    """From the general to the particular, parts set off by `\\u203a`."""
    query: str
    """The search that the product was found by, in lower case."""
    options: Mapping[str, tuple[str, ...]]
    """Name -> values, all in lower case."""
    attributes: Sequence[str]
    """What graders look at; never shown unless the shop shows attributes."""

    @property
    def document(self) -> str:
        """What a search engine reads: title, description, first bullet point and options."""
        choices = ", and ".join(
            f"{name}: {', '.join(values)}" for name, values in self.options.items()
        )
        first = self.bullets[0] if self.bullets else ""
        return " ".join((self.title, self.description, first, choices)).lower()

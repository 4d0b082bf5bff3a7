"""Sets of whole numbers as spans, and free times found with them."""

from spans.free import find_free
from spans.spans import Spans

__all__ = ["Spans", "find_free"]

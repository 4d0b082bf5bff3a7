"""Settings in layers: files over defaults, with references between them."""

from layers.merge import merge
from layers.reader import read_settings
from layers.resolve import resolve

__all__ = ["merge", "read_settings", "resolve"]

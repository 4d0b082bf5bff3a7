"""Which handler answers a path."""

from routes.pattern import Pattern
from routes.table import Routes

__all__ = ["Pattern", "Routes"]

"""Arithmetic as text: read it, reckon it, write it with no more brackets than it needs."""

from sums.evaluate import evaluate
from sums.parser import parse
from sums.writer import write

__all__ = ["evaluate", "parse", "write"]

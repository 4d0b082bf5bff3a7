"""Text in lines of some width: wrapped, set in columns."""

from folds.columns import columns
from folds.wrap import shorten, wrap

__all__ = ["columns", "shorten", "wrap"]

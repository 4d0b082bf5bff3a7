"""A cache with a size, a time to live, and figures of its use."""

from larder.cache import Cache
from larder.memo import memoised

__all__ = ["Cache", "memoised"]

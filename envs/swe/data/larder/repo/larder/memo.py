"""Functions that remember."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from larder.cache import MISSING, Cache


def memoised(cache: Cache) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: the function's results are kept in the cache, by its arguments.

    Several functions may share a cache. None is a result like any other.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def remembering(*args: Any, **kwargs: Any) -> Any:
            key = (function, args, tuple(sorted(kwargs.items())))
            found = cache.get(key, MISSING)
            if found is MISSING:
                found = function(*args, **kwargs)
                cache.put(key, found)
            return found

        return remembering

    return decorate

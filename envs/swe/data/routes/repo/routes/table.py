"""Routes: patterns and what answers them."""

from __future__ import annotations

from typing import Any

from routes.pattern import Pattern


class Routes:
    """The most special pattern that fits a path wins; of equal ones the one added first."""

    def __init__(self) -> None:
        self._routes: dict[str, list[tuple[Pattern, Any]]] = {}

    def add(self, method: str, text: str, handler: Any) -> None:
        """Let a handler answer a method on a pattern."""
        self._routes.setdefault(method.upper(), []).append((Pattern(text), handler))

    def find(self, method: str, path: str) -> tuple[Any, dict[str, str | int]] | None:
        """The handler of a path and its parameters; HEAD is answered by what answers GET."""
        path = path.partition("?")[0]
        asked = [method.upper(), *(["GET"] if method.upper() == "HEAD" else [])]
        for each in asked:
            fits = []
            for pattern, handler in self._routes.get(each, []):
                values = pattern.match(path)
                if values is not None:
                    fits.append((pattern.rank, handler, values))
            if fits:
                _, handler, values = min(fits, key=lambda fit: fit[0])
                return handler, values
        return None

    def methods(self, path: str) -> list[str]:
        """Which methods are answered on a path."""
        return sorted(each for each in self._routes if self.find(each, path) is not None)

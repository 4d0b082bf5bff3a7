"""The browser protocol: a page that an environment acts on, locked to the sites it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeAlias

from agentgym.types import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request by a page."""

    method: str
    path: str
    """With the query, as sent."""
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a site answers."""

    status: int = 200
    body: bytes = b""
    media_type: str = "text/html; charset=utf-8"
    keeps: bool = False
    """Whether it stays what it is, so that the browser need not ask again."""
    location: str | None = None
    """Where a redirect leads."""


Site: TypeAlias = Callable[[Asked], Answer] | None
"""Who answers an origin: a function of this process, called by one thread at a time; None is the
network."""
Sites: TypeAlias = Mapping[str, Site]
"""Origin (`http://shop.test`) -> its site. Nothing else can be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gesture:
    """Something that a person does with mouse or keyboard; places are CSS pixels of the window."""

    kind: Literal["click", "drag", "type", "press", "back"]
    x: float = 0.0
    y: float = 0.0
    """Where to click, and where a drag begins."""
    to_x: float = 0.0
    to_y: float = 0.0
    """Where a drag ends."""
    text: str = ""
    """What to type, or which key to press (`Enter`, `Control+a`)."""


class Tab(Protocol):
    """One page, in a browser profile of its own that ends with it.

    Every method raises `SandboxError` when the browser fails and `DeadlineError` past its
    deadline; after either the tab is of no more use.
    """

    def open(self, address: str) -> None:
        """Load a page of one of the sites.

        Raises:
            SandboxError: nothing answers there, or it is none of the sites.
        """
        ...

    def call(self, function: str, argument: Json = None) -> Any:
        """What a JavaScript function gives for the argument, in the page as it is now."""
        ...

    def act(self, *gestures: Gesture) -> tuple[str, ...]:
        """Do these, one after the other, and wait until the page has dealt with them.

        Returns:
            What became of windows that the page opened since the last time, in words.
        """
        ...

    def leave(self) -> None:
        """Take the mouse off a page that is done with.

        What comes next waits until the page has dealt with that; what becomes of its windows
        meanwhile is not told.
        """
        ...

    def picture(self) -> bytes:
        """The window as a PNG file."""
        ...

    def close(self) -> None:
        """End it; may be called twice."""
        ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

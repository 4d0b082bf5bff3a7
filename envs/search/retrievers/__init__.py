"""Retrievers: search engines over a corpus, behind one protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import ValidationError

from agentgym import registry
from agentgym.envs.search.corpus import Corpus, Passage
from agentgym.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A passage and how well it fits a query: the higher the better."""

    passage: Passage
    score: float


class Retriever(Protocol):
    """An opened search engine, shared by all environments of a process."""

    def search(self, queries: Sequence[str], *, topk: int) -> list[list[Hit]]:
        """The best passages for each query, the best first; fewer than `topk` where no more fit.

        Raises:
            EnvError: the engine failed, which is never told as an empty result.
        """
        ...


class RetrieverPlugin(Protocol):
    """A plug-in: hashable settings that open a retriever when called."""

    def __call__(self, corpus: Callable[[], Corpus]) -> Retriever:
        """The retriever over a corpus.

        Args:
            corpus: gives it; not called by a retriever that has one of its own elsewhere.

        Raises:
            UsageError: the corpus is missing, or a package that the retriever needs.
        """
        ...


_opened: dict[tuple[RetrieverPlugin, str], Retriever] = {}
"""By settings and the corpus's name: an index is large, and environments are many."""


def make_plugin(chosen: str | Mapping[str, Any]) -> RetrieverPlugin:
    """A plug-in from its name, or from a mapping with its `name` and its settings.

    Raises:
        UsageError: the name or a setting is unknown, or a value is wrong.
    """
    settings = {"name": chosen} if isinstance(chosen, str) else dict(chosen)
    name = settings.pop("name", None)
    if not isinstance(name, str):
        raise UsageError(f"a retriever needs a name, such as 'bm25s'; got {chosen!r}")
    try:
        plugin: RetrieverPlugin = registry.retrievers.make(name, **settings)
    except ValidationError as error:
        first = error.errors()[0]
        setting = ".".join(map(str, first["loc"]))
        raise UsageError(f"retriever '{name}', setting '{setting}': {first['msg']}") from error
    return plugin


def open_retriever(plugin: RetrieverPlugin, name: str, corpus: Callable[[], Corpus]) -> Retriever:
    """The retriever over the corpus of that name, opened once per process."""
    key = (plugin, name)
    if key not in _opened:
        _opened[key] = plugin(corpus)
    return _opened[key]

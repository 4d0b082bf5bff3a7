"""What is made here rather than read from a user's files: corpora and panels, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agentgym.envs.search import real_tasks, tasks
from agentgym.envs.search.corpus import ListCorpus
from agentgym.envs.search.real import is_installed, load_real
from agentgym.envs.search.world import load_world
from agentgym.panel import Panel

CORPORA: Mapping[str, Callable[[], ListCorpus]] = {
    "gen1": lambda: load_world().corpus,
    "real1": lambda: load_real().corpus,
}
"""The id of a passage is its place in its corpus."""


def made_splits() -> tuple[str, ...]:
    """The splits that can be made here; real1/... need two packages."""
    return (*tasks.SIZES, *(real_tasks.SIZES if is_installed() else ()))


def made_panel(split: str) -> Panel:
    """The panel of that name.

    Raises:
        UsageError: there is no such split, or a package that it needs is missing.
    """
    if split.startswith("real1/"):
        return real_tasks.load_real_panel(split)
    return tasks.load_panel(split)


def title_of(corpus: str, number: str) -> str:
    """The title of the passage with that id."""
    return CORPORA[corpus]().passages[int(number)].title

"""The cache folder: the user's word, then the specification's, then the usual place."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentgym.cache import cache_folder


def test_the_users_word_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    monkeypatch.setenv("AGENTGYM_CACHE", "/mine")
    assert cache_folder() == Path("/mine")


@pytest.mark.parametrize("unset", [None, ""])
def test_without_it_the_cache_is_where_the_specification_says(
    unset: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AGENTGYM_CACHE", raising=False)
    if unset is not None:
        monkeypatch.setenv("AGENTGYM_CACHE", unset)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/path")
    assert cache_folder() == Path.home() / ".cache" / "agentgym"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "agentgym"
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/agentgym")

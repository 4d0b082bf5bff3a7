"""The cache folder: what can be made again but takes long, such as indexes and converted models."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$AGENTGYM_CACHE` where it is set, else `agentgym` in the user's cache directory.

    That directory is `$XDG_CACHE_HOME` where it is an absolute path, as its specification asks,
    else `~/.cache`.
    """
    own = os.environ.get("AGENTGYM_CACHE")
    if own:
        return Path(own)
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (chosen if chosen.is_absolute() else Path.home() / ".cache") / "agentgym"

"""Trees: files as folders of the host, which sandboxes are made from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from agentgym.cache import cache_folder


def write_tree(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder."""
    for path, data in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 over paths and contents, in hex."""
    found = hashlib.sha256()
    for path, data in sorted(files.items()):
        for part in (path.encode(errors="surrogateescape"), data):
            found.update(len(part).to_bytes(8) + part)
    return found.hexdigest()


def kept_tree(files: Mapping[str, bytes]) -> Path:
    """A folder of these files in the cache, that nobody changes; made once.

    Raises:
        OSError: the disk is full or read-only.
    """
    return kept(f"trees/{digest(files)[:32]}", lambda folder: write_tree(folder, files))


def kept(name: str, fill: Callable[[Path], None]) -> Path:
    """A folder in the cache, that nobody changes; filled once.

    Args:
        name: tells all that is in it.
        fill: is given an empty folder.

    Raises:
        OSError: the disk is full or read-only.
    """
    folder = cache_folder() / "swe" / name
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as scratch:
        made = Path(scratch) / "tree"
        made.mkdir()
        fill(made)
        with suppress(OSError):  # another process was first, with the same files
            made.rename(folder)
        assert folder.is_dir(), f"{folder} cannot be made"
    return folder

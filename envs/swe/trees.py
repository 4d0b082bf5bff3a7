"""Trees: files as folders of the host, which sandboxes are made from."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

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
    """A folder in the cache, that nobody changes; filled once, by one process at a time.

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
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # others wait, rather than fill one each
        if folder.is_dir():
            return folder
        made = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(made, ignore_errors=True)  # what a killed process left
        made.mkdir()
        try:
            fill(made)
            made.rename(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return folder

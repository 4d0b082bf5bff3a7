"""Indexes kept in the cache folder: complete or not there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def stored(folder: Path) -> Iterator[Path]:
    """A folder to write an index to, which gets its final name when the block ends well.

    An index that has that name by then stays: another process finished first, with the same one.

    Raises:
        OSError: the disk is full or read-only.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as scratch:
        made = Path(scratch) / "index"
        made.mkdir()
        yield made
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise

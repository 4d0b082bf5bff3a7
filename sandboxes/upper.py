"""The changes in a workspace, read from a tar of it or of an overlay's upper folder."""

from __future__ import annotations

import errno
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

from agentgym.sandbox import Change

OPAQUE = "SCHILY.xattr.user.overlay.opaque"
"""Set on a folder that hides the one below it."""


def changes(
    archive: bytes, source: Path | None, *, max_bytes: int, is_whole: bool = False
) -> tuple[Change, ...]:
    """What the upper folder makes of the source, sorted by path. Nothing is extracted.

    Args:
        is_whole: the archive is of all the workspace; what is not in it is deleted.

    Raises:
        OSError: the files are larger than `max_bytes` together.
    """
    with tarfile.open(fileobj=io.BytesIO(archive), errors="surrogateescape") as tar:
        members = {each.name.removeprefix("./"): each for each in tar}
        found = list(_hidden(members, source, is_whole=is_whole))
        total = 0
        for path, member in members.items():
            below = _find(source, path)
            if _is_gone(below, member):
                found.append(Change(path=path, kind="deleted"))
            file = _file(members, member)  # a hard link is one more file for who applies the diff
            if file.isreg() and not _has_size(below, file.size):
                _check(total + file.size, max_bytes)  # before it is read
            change = _change(tar, path, file)
            if change is not None and (below is None or read_entry(below, path) != change):
                found.append(change)
                total += file.size if file.isreg() else 0
                _check(total, max_bytes)
    return tuple(sorted(found, key=lambda change: (change.path, change.kind != "deleted")))


def _has_size(below: Path | None, size: int) -> bool:
    return below is not None and below.is_file() and below.lstat().st_size == size


def _check(total: int, most: int) -> None:
    if total > most:
        raise OSError(errno.EFBIG, f"the diff has {total:,} bytes, more than {most:,}")


def read_entry(entry: Path, path: str) -> Change | None:
    """A file or link of the host as what would make it; None for anything else."""
    if entry.is_symlink():
        return Change(path=path, kind="link", data=os.fsencode(entry.readlink()))
    if not entry.is_file():
        return None
    is_executable = bool(entry.stat().st_mode & 0o111)
    return Change(path=path, kind="file", data=entry.read_bytes(), executable=is_executable)


def _hidden(
    members: dict[str, tarfile.TarInfo], source: Path | None, *, is_whole: bool
) -> Iterator[Change]:
    """The source's entries that disappear because the folder around them was made anew."""
    anew = {""} if is_whole else set()
    if is_whole and source is not None:
        for name in os.listdir(source):
            if name not in members:
                yield Change(path=name, kind="deleted")
    for path in sorted(members):
        member = members[path]
        if not member.isdir() or path == ".":
            continue
        if OPAQUE not in member.pax_headers and os.path.dirname(path) not in anew:
            continue
        anew.add(path)
        below = _find(source, path)
        if below is not None and below.is_dir() and not below.is_symlink():
            for name in os.listdir(below):
                if f"{path}/{name}" not in members:
                    yield Change(path=f"{path}/{name}", kind="deleted")


def _is_gone(below: Path | None, member: tarfile.TarInfo) -> bool:
    """Whether what was there is deleted: a file takes the place of a file alone."""
    if below is None:
        return False
    is_special = not (member.isreg() or member.islnk() or member.issym() or member.isdir())
    was_folder = below.is_dir() and not below.is_symlink()
    return is_special or was_folder != member.isdir()  # an overlay's deletion is a device


def _file(members: dict[str, tarfile.TarInfo], member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Where a hard link's content is."""
    return members[member.linkname.removeprefix("./")] if member.islnk() else member


def _change(tar: tarfile.TarFile, path: str, member: tarfile.TarInfo) -> Change | None:
    if member.issym():
        return Change(path=path, kind="link", data=os.fsencode(member.linkname))
    file = tar.extractfile(member) if member.isreg() else None
    if file is None:
        return None
    is_executable = bool(member.mode & 0o111)
    return Change(path=path, kind="file", data=file.read(), executable=is_executable)


def _find(source: Path | None, path: str) -> Path | None:
    """The source's entry at a path; None where there is none. No link is followed on the way."""
    if source is None:
        return None
    entry = source
    for name in path.split("/"):
        if entry.is_symlink():
            return None
        entry = entry / name
    return entry if os.path.lexists(entry) else None

"""Repositories: pinned releases on the package index, fetched once and never changed."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from agentgym.cache import cache_folder
from agentgym.errors import UsageError, cut, unknown

MANIFEST = Path(__file__).parent / "manifest.yaml"
FETCH_S = 900.0


class Repository(BaseModel):
    """One release, as the manifest pins it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: str
    sha256: str
    """Of the source archive."""
    licence: str
    source: tuple[str, ...]
    """What bugs are put into and solutions may change: files, and folders, which end in "/"."""
    tests: tuple[str, ...]
    """The files with tests, and folders of such, which judge."""
    split: Literal["train", "test"]
    roots: tuple[str, ...] = (".",)
    """The folders from which modules are imported."""

    @property
    def id(self) -> str:
        """Name and version."""
        return f"{self.name}-{self.version}"


@cache
def repositories() -> Mapping[str, Repository]:
    """The manifest: id -> repository."""
    listed = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))["repositories"]
    return {each.id: each for each in map(Repository.model_validate, listed)}


def get_repository(repository_id: str) -> Repository:
    """The repository of that id.

    Raises:
        UsageError: the manifest has none.
    """
    if repository_id not in repositories():
        raise unknown("repository", repository_id, repositories())
    return repositories()[repository_id]


def folder_of(repository: Repository) -> Path:
    """Where its files lie once fetched."""
    return cache_folder() / "swe" / "sdists" / f"{repository.id}-{repository.sha256[:12]}"


def fetch(repository: Repository) -> Path:
    """The folder with its files; fetched by pip, which checks the digest, where it is not there.

    Raises:
        UsageError: pip cannot fetch it.
    """
    folder = folder_of(repository)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as scratch:
        wanted = Path(scratch) / "wanted.txt"
        wanted.write_text(
            f"{repository.name}=={repository.version} --hash=sha256:{repository.sha256}\n"
        )
        options = (
            "--quiet",
            "--no-deps",
            "--no-binary",
            ":all:",
            "--dest",
            scratch,
            "-r",
            str(wanted),
        )
        command = [sys.executable, "-m", "pip", "download", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_S)
        archives = sorted(Path(scratch).glob("*.tar.gz"))
        if done.returncode or len(archives) != 1:
            raise UsageError(f"pip cannot fetch {repository.id}: {cut(done.stderr.strip())}")
        with tarfile.open(archives[0]) as archive:
            archive.extractall(Path(scratch) / "all", filter="data")
        (top,) = (Path(scratch) / "all").iterdir()
        with suppress(OSError):  # another process was first
            top.rename(folder)
    return folder


@cache
def pristine(repository_id: str) -> Mapping[str, bytes]:
    """The files of a fetched repository.

    Raises:
        UsageError: it was not fetched.
    """
    folder = folder_of(get_repository(repository_id))
    if not folder.is_dir():
        raise UsageError(f"{repository_id} is not here; fetch it by: agentgym swe build")
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and ".egg-info" not in file.as_posix()
    }

"""Pytest for sandboxes: a folder with it and what it needs, and nothing else of what is here."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from compileall import compile_dir
from contextlib import suppress
from functools import cache
from pathlib import Path
from py_compile import PycInvalidationMode
from tempfile import TemporaryDirectory

from agentgym.cache import cache_folder
from agentgym.envs.swe.problem import Suite
from agentgym.errors import UsageError

PACKAGES = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")


def tools_of(suite: Suite) -> list[Path]:
    """The folders that its sandboxes must show."""
    return [pytest_folder()] if suite.runner == "pytest" else []


@cache
def pytest_folder() -> Path:
    """The folder, copied once from what is installed here.

    Raises:
        UsageError: pytest is not installed.
        OSError: the disk is full or read-only.
    """
    try:
        found = [importlib.metadata.distribution(name) for name in PACKAGES]
    except importlib.metadata.PackageNotFoundError as error:
        raise UsageError(f"{error.name} is not installed here; install the extra swe") from error
    versions = (sys.implementation.cache_tag, *(each.version for each in found))
    folder = cache_folder() / "swe" / "tools" / "-".join(versions)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as scratch:
        made = Path(scratch) / "tools"
        for distribution in found:
            for file in distribution.files or ():
                if file.suffix == ".py" and ".." not in file.parts:
                    (made / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(str(distribution.locate_file(file)), made / file)
        # Sandboxes cannot write there: without this each of them would compile it anew.
        compile_dir(made, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
        with suppress(OSError):  # another process was first
            made.rename(folder)
    return folder

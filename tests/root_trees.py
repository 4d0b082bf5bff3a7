"""Root file systems for images, made of programs of this machine."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDERS = ("bin", "tmp", "proc", "sys", "dev")
LEFT_OUT = (
    "site-packages", "*-packages", "test", "tests", "idlelib", "ensurepip", "lib2to3", "tkinter",
    "turtledemo", "pydoc_data", "config-*", "*.a", "*.exe", "*.opt-*.pyc", "asyncio", "distutils",
    "multiprocessing", "sqlite3", "_test*.so", "_codecs_*.so", "_pydecimal*", "pydoc.*", "turtle.*",
)  # fmt: skip
"""What no test needs of Python's library: most of it."""


def make_root(root: Path, programs: tuple[str, ...]) -> None:
    """A root with some programs and the libraries that they need."""
    for folder in FOLDERS:
        (root / folder).mkdir()
    for name in programs:
        program = shutil.which(name)
        assert program is not None, name
        shutil.copy(program, root / "bin" / name)
        add_libraries(root, program)


def share(file: str, target: str | Path) -> None:
    """A file in a second place; not a copy, where the file system can do without."""
    try:
        os.link(os.path.realpath(file), target)
    except OSError:
        shutil.copy2(file, target)


def add_libraries(root: Path, program: str) -> None:
    """The shared libraries of a program, where they are here."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
    for word in listed.stdout.split():
        target = root / word.lstrip("/")
        if word.startswith("/") and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            share(word, target)


def add_python(root: Path, prefix: str) -> Path:
    """The Python that runs this, below a prefix; where packages are installed there."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    program = Path(sys.base_prefix) / "bin" / name
    add_libraries(root, str(program))
    to = root / prefix.lstrip("/")
    (to / "bin").mkdir(parents=True)
    shutil.copy(program, to / "bin" / name)
    for alias in ("python3", "python"):
        (to / "bin" / alias).symlink_to(name)
    library = Path(os.__file__).parent
    ignored = shutil.ignore_patterns(*LEFT_OUT)
    shutil.copytree(library, to / "lib" / name, ignore=ignored, copy_function=share)
    ask = [
        str(to / "bin" / name),
        "-I",
        "-B",
        "-c",
        "import site; print(site.getsitepackages()[0])",
    ]
    told = subprocess.run(ask, capture_output=True, text=True, check=True)
    packages = Path(told.stdout.strip())
    assert packages.is_relative_to(to)
    packages.mkdir(parents=True, exist_ok=True)
    return packages


def add_packages(folder: Path, names: tuple[str, ...]) -> None:
    """Copies of packages that are installed here, as they are installed."""
    for name in names:
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or ():
            if ".." not in file.parts:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                share(str(distribution.locate_file(file)), folder / file)

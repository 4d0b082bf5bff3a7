"""Owners: which process a sandbox belongs to, so that what is orphaned can be removed."""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from agentgym.errors import SandboxError, UsageError
from agentgym.registry import load
from agentgym.sandboxes import cgroups

LABEL = "owner.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process, told apart from all others that had or will have its number."""

    host: str
    boot: str
    """One start of a machine, and one namespace of process numbers in it."""
    pid: int
    started: int
    """Clock ticks after the machine's start."""
    run: str
    """What the sandbox was made for; "" is not said."""
    driver: str
    groups: tuple[str, ...] = ()
    """The control groups below which the sandbox may have one of its name."""
    engine: str = ""
    """The address of the Docker engine that may have a container of its name; "" is none."""

    @property
    def state(self) -> Literal["live", "orphaned", "unknown"]:
        """Whether the owner runs. Of another machine's processes we know nothing."""
        if (self.host, self.boot) != (platform.node(), _boot()):
            return "unknown"
        return "live" if _started(self.pid) == self.started else "orphaned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A sandbox's folder on this machine."""

    folder: Path
    owner: Owner

    def remove(self) -> None:
        """The folder, and what runs in the sandbox."""
        if self.owner.engine:
            with suppress(UsageError):  # the package is gone; the container went with its program
                load("agentgym.sandboxes.docker:remove_left")(self.folder.name, self.owner.engine)
        cgroups.remove(tuple(Path(group) / self.folder.name for group in self.owner.groups))
        shutil.rmtree(self.folder, ignore_errors=True)


def root() -> Path:
    """The folder of this user's sandboxes.

    Raises:
        SandboxError: somebody else made it: what is in it is not to be trusted.
    """
    folder = Path(tempfile.gettempdir()) / f"agentgym-sandboxes-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not folder.is_dir() or folder.is_symlink() or status.st_uid != os.getuid():
        raise SandboxError(f"{folder} is not a folder of user {os.getuid()}; remove it")
    return folder


def label(*, driver: str, run: str, groups: Iterable[Path] = (), engine: str = "") -> Labelled:
    """A new folder that says whose it is. A process's first one removes what is orphaned."""
    _sweep(os.getpid())
    pid = os.getpid()
    owner = Owner(
        host=platform.node(),
        boot=_boot(),
        pid=pid,
        started=_started(pid) or 0,
        run=run,
        driver=driver,
        groups=tuple(dict.fromkeys(map(str, groups))),
        engine=engine,
    )
    folder = root() / f"agentgym-{uuid.uuid4().hex[:16]}"
    folder.mkdir(mode=0o700)
    (folder / LABEL).write_text(json.dumps(asdict(owner)), encoding="utf-8")
    return Labelled(folder=folder, owner=owner)


def listed() -> Iterator[Labelled]:
    """Every sandbox of this user, in a stable order; what has no whole label is left out."""
    for folder in sorted(root().glob("agentgym-*")):
        with suppress(OSError, ValueError, TypeError):  # being made, or being removed
            owner = Owner(**json.loads((folder / LABEL).read_text(encoding="utf-8")))
            yield Labelled(folder=folder, owner=owner)


def prune() -> list[Labelled]:
    """Remove every sandbox whose owner provably runs no more; those that were removed."""
    orphans = [each for each in listed() if each.owner.state == "orphaned"]
    for each in orphans:
        each.remove()
    return orphans


@cache
def _sweep(pid: int) -> None:  # by number: a forked child is a process of its own
    prune()


@cache
def _boot() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    return f"{boot} {os.readlink('/proc/self/ns/pid')}"


def _started(pid: int) -> int | None:
    """When a process was started; None where there is none, or only its remains."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = status.rpartition(")")[2].split()  # the name before may hold anything
    return None if fields[0] in "ZX" else int(fields[19])

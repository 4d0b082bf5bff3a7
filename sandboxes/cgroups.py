"""Cgroup: limits on a sandbox's memory, processes and CPU by the kernel's groups, v1 or v2."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agentgym.errors import SandboxError
from agentgym.sandbox import Limits

MOUNT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
CPU_PERIOD_US = 100_000
NEEDED = ("memory", "pids")
"""Without these two there is no group at all; CPU is limited where it can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """Where this process may make groups."""

    version: int
    parents: dict[str, Path]
    """Controller -> the group below which to make ours; in v2 all are one."""

    def __str__(self) -> str:
        return f"cgroup v{self.version} ({', '.join(self.parents)})"


def find_hierarchy(*, mount: Path = MOUNT, own: Path = OWN) -> Hierarchy | None:
    """The groups that can be written here; None where memory or processes cannot be limited.

    Args:
        own: lists, a line a hierarchy, `id:controllers:path` of this process's groups.
    """
    if not own.is_file():
        return None
    paths: dict[str, str] = {}
    for line in own.read_text(encoding="utf-8").splitlines():
        _, names, path = line.split(":", 2)
        paths |= {name: path.strip("/") for name in names.split(",")}
    return _find_v2(mount, paths.get("", "")) or _find_v1(mount, paths)


def _find_v2(mount: Path, path: str) -> Hierarchy | None:
    """The nearest group, from this process's up, that passes on what is needed."""
    for group in (mount / path, *(mount / path).parents):
        control = group / "cgroup.subtree_control"
        if not group.is_relative_to(mount) or not control.is_file():
            return None
        passed = control.read_text(encoding="utf-8").split()
        if set(NEEDED) <= set(passed) and os.access(group, os.W_OK):
            names = [name for name in (*NEEDED, "cpu") if name in passed]
            return Hierarchy(version=2, parents={name: group for name in names})
    return None


def _find_v1(mount: Path, paths: dict[str, str]) -> Hierarchy | None:
    parents = {}
    for name in (*NEEDED, "cpu"):
        # A container sees its own group as the root, while its path may be the host's.
        for group in (mount / name / paths.get(name, ""), mount / name):
            if (group / "cgroup.procs").is_file() and os.access(group, os.W_OK):
                parents[name] = group
                break
    return Hierarchy(version=1, parents=parents) if set(NEEDED) <= parents.keys() else None


class Cgroup:
    """One sandbox's group, or its groups where every controller has a tree of its own (v1)."""

    def __init__(self, hierarchy: Hierarchy, name: str, limits: Limits) -> None:
        self._groups = {each: parent / name for each, parent in hierarchy.parents.items()}
        self._version, self._num_processes = hierarchy.version, limits.processes
        quota = str(int(limits.cpus * CPU_PERIOD_US))
        memory, processes = str(limits.memory_bytes), str(limits.processes)
        try:
            for group in self.folders:
                group.mkdir()
            self._set("pids", "pids.max", processes)
            if self._version == 2:
                self._set("memory", "memory.max", memory)
                self._set("cpu", "cpu.max", f"{quota} {CPU_PERIOD_US}")
                return
            self._set("memory", "memory.limit_in_bytes", memory)
            self._set("cpu", "cpu.cfs_period_us", str(CPU_PERIOD_US))
            self._set("cpu", "cpu.cfs_quota_us", quota)
        except OSError as error:
            remove(self.folders)
            raise SandboxError(f"cannot limit the sandbox by cgroup: {error}") from error

    def _set(self, controller: str, file: str, value: str) -> None:
        if controller in self._groups:
            (self._groups[controller] / file).write_text(value, encoding="utf-8")

    @property
    def folders(self) -> tuple[Path, ...]:
        """Its groups."""
        return tuple(dict.fromkeys(self._groups.values()))

    @property
    def joins(self) -> tuple[Path, ...]:
        """The files into which a process of one thread writes 0 to be in it."""
        # To move a process, the kernel waits until none is being forked: some 20 ms. Version 1
        # moves a lone thread without.
        file = "tasks" if self._version == 1 else "cgroup.procs"
        return tuple(folder / file for folder in self.folders)

    def num_killed(self) -> int:
        """How many of its processes were killed for memory."""
        file = "memory.events" if self._version == 2 else "memory.oom_control"
        text = (self._groups["memory"] / file).read_text(encoding="utf-8")
        counts = dict(line.split() for line in text.splitlines())
        return int(counts["oom_kill"])

    def make_room(self, *, timeout_s: float = 5.0) -> None:
        """Wait while the dead take a quarter of the processes that it may have, or more.

        The kernel counts a process for up to some seconds after its end.
        """
        until = time.monotonic() + timeout_s
        counted = self._groups["pids"] / "pids.current"
        while 4 * int(counted.read_text(encoding="utf-8")) >= self._num_processes:
            if time.monotonic() > until:
                return  # the command will say what it cannot do
            time.sleep(0.005)

    def kill(self) -> None:
        """End what runs in it."""
        kill(self.folders)

    def remove(self) -> None:
        """End what runs in it, and the group."""
        remove(self.folders)


def kill(folders: tuple[Path, ...], *, timeout_s: float = 5.0) -> None:
    """End what runs in groups.

    Raises:
        SandboxError: something cannot be killed.
    """
    until = time.monotonic() + timeout_s
    for folder in folders[:1]:  # each process is in all of them
        while pids := _pids(folder):
            if time.monotonic() > until:
                raise SandboxError(f"cannot kill the processes {pids} of {folder}")
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.001)


def _pids(folder: Path) -> list[int]:
    try:
        return [int(pid) for pid in (folder / "cgroup.procs").read_text().split()]
    except FileNotFoundError:
        return []


def remove(folders: tuple[Path, ...], *, timeout_s: float = 5.0) -> None:
    """End what runs in groups, and the groups.

    Raises:
        SandboxError: one cannot be removed.
    """
    kill(folders, timeout_s=timeout_s)
    until = time.monotonic() + timeout_s
    for folder in folders:
        while folder.is_dir():
            try:
                folder.rmdir()
            except OSError as error:  # a killed process leaves its group a little later
                if time.monotonic() > until:
                    raise SandboxError(f"cannot remove {folder}: {error}") from error
                time.sleep(0.001)

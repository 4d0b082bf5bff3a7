"""Bubblewrap: namespaces, cgroups and an overlay; every command starts in a new set of processes.

Meant for code that misbehaves, not for one that attacks the kernel, which it shares with the host.
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from agentgym.errors import SandboxError, UsageError
from agentgym.sandbox import WORKSPACE, Change, ExecResult, Limits
from agentgym.sandboxes import owners
from agentgym.sandboxes.cgroups import Cgroup, find_hierarchy
from agentgym.sandboxes.holder import DIFF, RESTORE, SNAPSHOT, TOOLS, Holder, find_tool
from agentgym.sandboxes.inside import Inside
from agentgym.sandboxes.running import Program, Ran, run
from agentgym.sandboxes.upper import changes

PATH = "/usr/local/bin:/usr/bin:/bin"
NAMESPACES = (
    "--unshare-all", "--unshare-user", "--disable-userns", "--uid", "1000", "--gid", "1000",
    "--hostname", "sandbox", "--die-with-parent", "--new-session", "--clearenv",
)  # fmt: skip
JOIN = (
    'n=$1; shift; while [ "$n" -gt 0 ]; do echo 0 > "$1" || exit; shift; n=$((n-1)); done; '
    'ulimit -c 0 && ulimit -f "$1" || exit; shift; exec "$@"'
)
NO_ROOM = re.compile(rb"bwrap: .*Resource temporarily unavailable")
"""What bubblewrap says where the processes of an earlier command, which end without being waited
for, still count: nothing was started then."""
ROOM_S = 5.0
BLOCK_BYTES = 512
"""The shell's unit of a file's size."""


class Bubblewrap(Inside):
    """Commands see the host's programs, read-only, and a copy-on-write view of one folder.

    Args:
        source: what the workspace starts as; must not change meanwhile. None is empty.
        mounts: more folders of the host to show, read-only, where they are.
        environment: all that commands have beside `PATH`, `HOME` and `LANG`.
        run: what it is made for, as `agentgym sandbox list` says.
    """

    def __init__(
        self,
        *,
        source: Path | None = None,
        mounts: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        run: str = "",
        timeout_s: float = 30.0,
    ) -> None:
        if source is not None and not source.is_dir():
            raise UsageError(f"the sandbox's source must be a folder: {source}")
        self._limits = limits or Limits()
        self._source, self._closed = source, False
        hierarchy = find_hierarchy()
        self.isolation = f"bubblewrap: namespaces, {hierarchy or _weaker_limits()}"
        groups = hierarchy.parents.values() if hierarchy else ()
        self._labelled = owners.label(driver="bubblewrap", run=run, groups=groups)
        self._holder: Holder | None = None
        self._cgroup: Cgroup | None = None
        folder = self._labelled.folder / "files"
        self._options = _options(folder, mounts, environment or {}, self._limits)
        try:
            folder.mkdir()
            if hierarchy is not None:
                self._cgroup = Cgroup(hierarchy, self._labelled.folder.name, self._limits)
            path = None if source is None else source.resolve()
            self._holder = Holder(folder, path, self._limits, timeout_s=timeout_s)
        except BaseException:
            self.close()
            raise

    @classmethod
    def unavailable(cls) -> str | None:
        """Why it does not work here, in one line; None where it does."""
        if not sys.platform.startswith("linux"):
            return f"bubblewrap needs Linux, this is {sys.platform}"
        try:
            for tool in TOOLS:
                find_tool(tool)
        except SandboxError as error:
            return str(error)
        return super().unavailable()

    def snapshot(self, *, timeout_s: float) -> str:
        """See `Sandbox.snapshot`."""
        name = str(self._num_snapshots)
        self._live().script(SNAPSHOT, name, timeout_s=timeout_s)
        self._num_snapshots += 1
        return name

    def restore(self, name: str, *, timeout_s: float) -> None:
        """See `Sandbox.restore`."""
        self._check_snapshot(name)
        self._live().script(RESTORE, name, timeout_s=timeout_s)

    def diff(self, *, timeout_s: float) -> tuple[Change, ...]:
        """See `Sandbox.diff`: what the overlay keeps, less what equals the source."""
        room = 2 * self._limits.read_bytes + 4096 * self._limits.disk_files  # for tar's headers
        ran = self._live().script(DIFF, timeout_s=timeout_s, keep_bytes=room)
        if ran.lost_bytes:
            raise OSError(errno.EFBIG, f"the diff has more than {self._limits.read_bytes:,} bytes")
        return changes(ran.output, self._source, max_bytes=self._limits.read_bytes)

    def close(self) -> None:
        """See `Sandbox.close`."""
        if self._closed:
            return
        self._closed = True
        if self._holder is not None:
            self._holder.close()
        if self._cgroup is not None:
            self._cgroup.remove()
        with suppress(OSError):
            (self._labelled.folder / "files").rmdir()
            (self._labelled.folder / owners.LABEL).unlink()
            self._labelled.folder.rmdir()

    def _live(self) -> Holder:
        if self._closed or self._holder is None:
            raise SandboxError("the sandbox is closed")
        if not self._holder.alive:
            raise SandboxError("the sandbox is lost: the process that holds its files was killed")
        return self._holder

    def _run(
        self, argv: tuple[bytes, ...], keep_bytes: int, stdin: bytes = b"", *, timeout_s: float
    ) -> tuple[Ran, ExecResult]:
        """Run a program inside, and make sure that nothing of it runs on."""
        holder, until = self._live(), time.monotonic() + ROOM_S
        killed_before = self._num_killed()
        if self._cgroup is not None:
            self._cgroup.make_room()
        while True:
            ran, told = self._try(holder, argv, keep_bytes, stdin, timeout_s=timeout_s)
            is_full = "exit-code" not in told and NO_ROOM.match(ran.output) is not None
            if not is_full or time.monotonic() > until:
                break
            time.sleep(0.02)
        return ran, _result(ran, told, out_of_memory=self._num_killed() > killed_before)

    def _try(
        self,
        holder: Holder,
        argv: tuple[bytes, ...],
        keep_bytes: int,
        stdin: bytes,
        *,
        timeout_s: float,
    ) -> tuple[Ran, str]:
        """Run it if it can be started; and what bubblewrap told of it, as lines of JSON."""
        with _memory_file() as options, _memory_file() as status:
            # Not in the arguments, which the code inside could read of process 1.
            options.write("\0".join(self._options).encode(errors="surrogateescape"))
            options.seek(0)
            fds = (options.fileno(), status.fileno())
            bwrap = (find_tool("bwrap"), "--args", str(fds[0]), "--json-status-fd", str(fds[1]))
            outside = (*holder.enter(), *self._limited(), *bwrap, "--")
            program, ran = Program(argv=(*outside, *argv), fds=fds), None
            try:
                ran = run(program, timeout_s=timeout_s, keep_bytes=keep_bytes, stdin=stdin)
            finally:
                if self._cgroup is not None:
                    self._cgroup.kill()
                elif ran is None or ran.timed_out:
                    holder.end_commands()  # bubblewrap may have been killed while it started
            status.seek(0)
            return ran, status.read().decode()

    def _num_killed(self) -> int:
        return self._cgroup.num_killed() if self._cgroup is not None else 0

    def _limited(self) -> tuple[str, ...]:
        """The start of a command line under the limits."""
        if self._cgroup is not None:
            joins = tuple(map(str, self._cgroup.joins))
            blocks = str(-(-self._limits.disk_bytes // BLOCK_BYTES))
            return ("/bin/sh", "-c", JOIN, "sh", str(len(joins)), *joins, blocks)
        sizes = (f"--fsize={self._limits.disk_bytes}", "--core=0")
        each = (f"--as={self._limits.memory_bytes}", f"--nproc={self._limits.processes}")
        return (find_tool("prlimit"), *sizes, *each, "--")


def _weaker_limits() -> str:
    """What is limited where no cgroup can be made. The kernel lets root have any number."""
    unlimited = ", no limit of processes" if os.geteuid() == 0 else ""
    return f"prlimit of memory, each process alone{unlimited}"


def _memory_file() -> BinaryIO:
    return os.fdopen(os.memfd_create("agentgym"), "w+b", buffering=0)


def _options(
    files: Path, mounts: Sequence[Path], environment: Mapping[str, str], limits: Limits
) -> tuple[str, ...]:
    """Bubblewrap's options: what is seen where."""
    options = [*NAMESPACES, "--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        if (link := Path("/", name)).is_symlink():
            options += ["--symlink", str(link.readlink()), str(link)]
        else:
            options += ["--ro-bind-try", str(link), str(link)]
    for system in ("/etc/alternatives", "/etc/ld.so.cache"):
        options += ["--ro-bind-try", system, system]
    for name in ("passwd", "group"):
        options += ["--ro-bind", str(files / name), f"/etc/{name}"]
    # Not only what bubblewrap covers by itself: to the host, its root is the user inside.
    options += ["--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev"]
    options += ["--size", str(limits.disk_bytes), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
    options += ["--bind", str(files / "disk" / "tmp"), "/tmp"]
    options += ["--bind", str(files / "top"), WORKSPACE]
    for mount in mounts:
        options += ["--ro-bind", str(mount), str(mount)]
    own = {"PATH": PATH, "HOME": "/tmp", "LANG": "C.UTF-8"}
    for name, value in (own | {**environment}).items():
        options += ["--setenv", name, value]
    return (*options, "--remount-ro", "/", "--chdir", WORKSPACE)


def _result(ran: Ran, told: str, *, out_of_memory: bool) -> ExecResult:
    """What the program did, by what bubblewrap told of it.

    Raises:
        SandboxError: the program was not started.
    """
    code = None
    for line in told.splitlines():
        with suppress(ValueError):  # a line that bubblewrap's own end cut short
            code = json.loads(line).get("exit-code")
        if code is not None:
            return replace(ran.result(code), killed="memory" if out_of_memory else None)
    if out_of_memory:
        return replace(ran.result(137), killed="memory")
    if ran.timed_out:
        return ran.result(124)
    why = " ".join(ran.output.decode(errors="replace").split())[:500]
    raise SandboxError(f"the sandbox is lost: {why or f'exit code {ran.exit_code}'}")

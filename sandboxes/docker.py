"""Docker: one container a sandbox, on any engine of that interface; no network, no registry."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from agentgym.errors import AgentGymError, DeadlineError, SandboxError, UsageError
from agentgym.sandbox import WORKSPACE, Change, ExecResult, Limits
from agentgym.sandboxes.container import AS_USER, Container, Spec, remove
from agentgym.sandboxes.daemon import Daemon
from agentgym.sandboxes.images import copy_out, ensure_host_image, get_image, inspect_image
from agentgym.sandboxes.inside import Inside
from agentgym.sandboxes.running import HeadTail, Ran
from agentgym.sandboxes.upper import changes
from agentgym.sandboxes.waiting import WAITING

PATH = "/usr/local/bin:/usr/bin:/bin"
UNPACK = (b"tar", b"--extract", b"--preserve-permissions", b"-C")
RESTORE = b"""cd / && chmod -R u+rwX "$@" && find "$@" /dev/shm -mindepth 1 -delete &&
exec tar --extract --preserve-permissions"""
PACK = b'exec tar --create --sparse --format=posix -C "$@" 2>/dev/null'
PAGE_BYTES = 4096


class Docker(Inside):
    """Commands see an image, read-only, and a copy of one folder in memory.

    Args:
        source: what the workspace starts as; must not change meanwhile. None is empty.
        mounts: more folders of the engine's machine to show, read-only, where they are.
        environment: all that commands have beside `HOME`, `LANG`, `PATH` and what the image says.
        image: an image that the engine has, with `bash`, GNU's `coreutils`, `find` and `tar`, and
            `setpriv`. None shows this machine's programs, as bubblewrap does: for an engine on this
            machine.
        workspace: where in it the folder is shown.
        run: what it is made for, as `agentgym sandbox list` says.
        address: the engine's; None is what `DOCKER_HOST` says, or the usual socket.
        warm: how many containers of this kind to keep started for the next ones. The kind includes
            the size of the source: worth it where many sandboxes have one.
    """

    get_image = staticmethod(get_image)
    copy_out = staticmethod(copy_out)
    """See `images`; for who reaches the driver by its name."""

    def __init__(
        self,
        *,
        source: Path | None = None,
        mounts: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        image: str | None = None,
        workspace: str = WORKSPACE,
        run: str = "",
        address: str | None = None,
        warm: int = 0,
        timeout_s: float = 30.0,
    ) -> None:
        if source is not None and not source.is_dir():
            raise UsageError(f"the sandbox's source must be a folder: {source}")
        until = time.monotonic() + timeout_s
        self._limits, self._source, self._workspace = limits or Limits(), source, workspace
        self._folders = (workspace.lstrip("/"), "tmp")
        self._room = (0, 0) if source is None else _size(source)
        self._closed = False
        self._container: Container | None = None
        with closing(Daemon(address)) as daemon:
            given: Mapping[str, str] = {}
            programs: list[str] = []
            if image is None:
                image, programs = ensure_host_image(daemon, until)
            else:
                with daemon.calls(until, what=f"the engine has no image {image}") as api:
                    given = inspect_image(api, image).environment
        own = {"PATH": PATH, **given, "HOME": "/tmp", "LANG": "C.UTF-8"}
        environment = own | {**(environment or {})}
        self._environment = [os.fsencode(f"{each}={value}") for each, value in environment.items()]
        self.isolation = f"docker: {image}, cgroup, no capabilities, no network, read-only root"
        spec = Spec(
            address=address,
            image=image,
            workspace=workspace,
            shown=(*programs, *map(str, mounts)),
            limits=self._limits,
            room=self._room,
        )
        with nullcontext() if source is None else _packing(source) as packed:
            self._container = WAITING.take(spec, run=run, until=until, beside=warm)
            try:
                if packed is not None:
                    self._put((*UNPACK, os.fsencode(workspace)), packed(until), until)
            except BaseException:
                self.close()
                raise

    def snapshot(self, *, timeout_s: float) -> str:
        """See `Sandbox.snapshot`; kept on this machine, of the workspace and /tmp."""
        name = str(self._num_snapshots)
        with self._kept(name).open("wb") as file:
            self._pack("/", *self._folders, take=file.write, timeout_s=timeout_s)
        self._num_snapshots += 1
        return name

    def restore(self, name: str, *, timeout_s: float) -> None:
        """See `Sandbox.restore`."""
        self._check_snapshot(name)
        with self._kept(name).open("rb") as file:
            words = (b"/bin/sh", b"-c", RESTORE, b"sh", *map(os.fsencode, self._folders))
            self._put(words, file, time.monotonic() + timeout_s)

    def diff(self, *, timeout_s: float) -> tuple[Change, ...]:
        """See `Sandbox.diff`: the whole workspace is compared with the source."""
        archive = bytearray()
        self._pack(self._workspace, ".", take=archive.extend, timeout_s=timeout_s)
        most = self._limits.read_bytes
        return changes(bytes(archive), self._source, max_bytes=most, is_whole=True)

    def _pack(
        self, folder: str, *names: str, take: Callable[[bytes], object], timeout_s: float
    ) -> None:
        """Make an archive, without what a disk does not hold of a file: it is as large as that."""
        live, until = self._live(), time.monotonic() + timeout_s
        words = (b"/bin/sh", b"-c", PACK, b"sh", *map(os.fsencode, (folder, *names)))
        ended = live.run(words, until=until, take=take)
        if ended.exit_code is None:
            raise DeadlineError(f"the sandbox's files took longer than {timeout_s:g} s")
        if ended.exit_code:
            raise SandboxError(f"cannot read the sandbox's files: exit code {ended.exit_code}")

    def _put(self, words: tuple[bytes, ...], file: BinaryIO, until: float) -> None:
        """Run a program that unpacks an archive."""
        said = HeadTail(1000)
        ended = self._live().run((*AS_USER, *words), until=until, take=said.add, file=file)
        if ended.exit_code:
            why = " ".join(said.content().decode(errors="replace").split())
            raise SandboxError(f"cannot write the sandbox's files: {why or ended.exit_code}")

    def close(self) -> None:
        """See `Sandbox.close`."""
        if self._closed:
            return
        self._closed = True
        if self._container is not None:
            self._container.close()

    def _live(self) -> Container:
        if self._closed or self._container is None:
            raise SandboxError("the sandbox is closed")
        return self._container

    def _kept(self, name: str) -> Path:
        return self._live().folder / f"{name}.tar"

    def _run(
        self, words: tuple[bytes, ...], keep_bytes: int, stdin: bytes = b"", *, timeout_s: float
    ) -> tuple[Ran, ExecResult]:
        """Run a program inside, and make sure that nothing of it runs on."""
        kept = HeadTail(keep_bytes)
        ended = self._live().run(
            (*AS_USER, b"env", b"-i", *self._environment, *words),
            until=time.monotonic() + timeout_s,
            take=kept.add,
            file=io.BytesIO(stdin),
        )
        timed_out = ended.exit_code is None
        ran = Ran(
            exit_code=-signal.SIGKILL if ended.exit_code is None else ended.exit_code,
            output=kept.content(),
            lost_bytes=kept.lost_bytes,
            timed_out=timed_out,
        )
        if ended.out_of_memory:
            return ran, replace(ran.result(137 if timed_out else ran.exit_code), killed="memory")
        return ran, ran.result(124 if timed_out else ran.exit_code)


@contextmanager
def _packing(source: Path) -> Iterator[Callable[[float], BinaryIO]]:
    """Pack a folder of this machine beside other work; gives what waits for the archive."""
    command = ("tar", "--create", "--format=posix", "-C", str(source), ".")
    with TemporaryFile() as file, subprocess.Popen(command, stdout=file) as process:

        def packed(until: float) -> BinaryIO:
            try:
                process.wait(until - time.monotonic())
            except subprocess.TimeoutExpired as error:
                raise DeadlineError(f"reading {source} took longer than its deadline") from error
            if process.returncode:
                raise SandboxError(f"tar cannot read all of {source}: exit {process.returncode}")
            return file

        try:
            yield packed
        finally:
            process.kill()


def remove_left(name: str, address: str) -> None:
    """Remove a dead program's container, which the engine does by itself unless it is ill."""
    with suppress(AgentGymError), closing(Daemon(address)) as daemon:
        remove(daemon, name)


def _size(folder: Path) -> tuple[int, int]:
    """The bytes and files that a folder takes in memory."""
    sizes = [0]
    for top, folders, names in os.walk(folder):
        sizes += [os.lstat(os.path.join(top, name)).st_size for name in (*folders, *names)]
    return sum(-(-size // PAGE_BYTES) * PAGE_BYTES for size in sizes), len(sizes)

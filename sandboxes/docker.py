"""Docker: one container a sandbox, on any engine of that interface; no network, no registry."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from agentgym.errors import AgentGymError, SandboxError, UsageError
from agentgym.sandbox import WORKSPACE, Change, ExecResult, Limits, Sandbox
from agentgym.sandboxes import inside, owners
from agentgym.sandboxes.container import NOT_STARTED, Container, Spec, remove
from agentgym.sandboxes.daemon import Daemon
from agentgym.sandboxes.images import ensure_host_image
from agentgym.sandboxes.running import Ran, word
from agentgym.sandboxes.upper import changes

PATH = "/usr/local/bin:/usr/bin:/bin"
CLEAR = (
    'for each in "$@"; do chmod -R u+rwX "$each" && find "$each" -mindepth 1 -delete || exit; '
    "done; find /dev/shm -mindepth 1 -delete"
)
PAGE_BYTES = 4096
START = 'exec 2>&1; exec env -i "$@"'
UNESCAPE = (
    'words=(); for each; do printf -v each %b "$each"; words+=("$each"); done; exec "${words[@]}"'
)
PROBE_S = 20.0
"""A machine's first container takes longer: its image is made."""


class Docker(Sandbox):
    """Commands see an image, read-only, and a copy of one folder in memory.

    Args:
        source: what the workspace starts as; must not change meanwhile. None is empty.
        mounts: more folders of the engine's machine to show, read-only, where they are.
        environment: all that commands have beside `HOME`, `LANG`, `PATH` and what the image says.
        image: an image that the engine has, with `bash`, `env`, `find` and `head`. None shows this
            machine's programs, as bubblewrap does: for an engine on this machine.
        workspace: where in it the folder is shown.
        run: what it is made for, as `agentgym sandbox list` says.
        address: the engine's; None is what `DOCKER_HOST` says, or the usual socket.
    """

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
        timeout_s: float = 30.0,
    ) -> None:
        if source is not None and not source.is_dir():
            raise UsageError(f"the sandbox's source must be a folder: {source}")
        until = time.monotonic() + timeout_s
        self._limits, self._source, self._workspace = limits or Limits(), source, workspace
        self._folders = (workspace, "/tmp")
        self._room = (0, 0) if source is None else _size(source)
        self._num_snapshots, self._closed = 0, False
        self._container: Container | None = None
        self._daemon = Daemon(address)
        self._labelled = owners.label(driver="docker", run=run, engine=self._daemon.address)
        try:
            shown = tuple(str(mount) for mount in mounts)
            name, given = image, {}
            if name is None:
                name, programs = ensure_host_image(self._daemon, until)
                shown = (*programs, *shown)
            else:
                given = self._daemon.environment(name, until)
            own = {"PATH": PATH} | given | {"HOME": "/tmp", "LANG": "C.UTF-8"}
            environment = own | {**(environment or {})}
            self._environment = [f"{each}={value}" for each, value in environment.items()]
            spec = Spec(
                image=name,
                workspace=workspace,
                shown=shown,
                limits=self._limits,
                room=self._room,
            )
            self.isolation = f"docker: {name}, cgroup, no capabilities, no network, read-only root"
            own_name = self._labelled.folder.name
            self._container = Container(self._daemon, spec, name=own_name, until=until)
            if source is not None:
                self._load(source, until)
        except BaseException:
            self.close()
            raise

    @classmethod
    def unavailable(cls) -> str | None:
        """Why it does not work here, in one line; None where it does."""
        try:
            with cls(timeout_s=PROBE_S) as sandbox:
                result = sandbox.exec("echo works", timeout_s=PROBE_S)
        except (AgentGymError, OSError) as error:
            return " ".join(str(error).split())
        return None if result.output == "works\n" else f"docker: {result}"

    def _load(self, source: Path, until: float) -> None:
        """Copy a folder of this machine into the workspace."""
        command = ("tar", "--create", "--format=posix", "--owner=1000", "--group=1000")
        with subprocess.Popen(
            [*command, "--numeric-owner", "-C", str(source), "."], stdout=subprocess.PIPE
        ) as packing:
            try:
                self._live().put(self._workspace, packing.stdout, until)
            finally:
                packing.kill()

    def exec(self, command: str, *, timeout_s: float) -> ExecResult:
        """See `Sandbox.exec`."""
        keep = self._limits.output_bytes
        try:
            return self._run((b"/bin/bash", b"-c", word(command)), keep, timeout_s=timeout_s)[1]
        except OSError as error:
            return ExecResult(exit_code=126, output=f"bash: {error.strerror}\n")

    def read(self, path: str, *, timeout_s: float) -> bytes:
        """See `Sandbox.read`. The path means what it means inside: no link leads out."""
        run = partial(self._run, timeout_s=timeout_s)
        return inside.read(run, path, limit=self._limits.read_bytes)

    def write(self, path: str, data: bytes, *, timeout_s: float) -> None:
        """See `Sandbox.write`. The path means what it means inside: no link leads out."""
        inside.write(partial(self._run, timeout_s=timeout_s), path, data)

    def snapshot(self, *, timeout_s: float) -> str:
        """See `Sandbox.snapshot`; kept on this machine, of the workspace and /tmp."""
        until, name = time.monotonic() + timeout_s, str(self._num_snapshots)
        for number, folder in enumerate(self._folders):
            with self._kept(name, number).open("wb") as file:
                for piece in self._pieces(folder, until):
                    file.write(piece)
        self._num_snapshots += 1
        return name

    def restore(self, name: str, *, timeout_s: float) -> None:
        """See `Sandbox.restore`."""
        if name not in map(str, range(self._num_snapshots)):
            raise UsageError(f"this sandbox has no snapshot '{name}'")
        until = time.monotonic() + timeout_s
        words = (b"/bin/sh", b"-c", CLEAR.encode(), b"sh", *map(os.fsencode, self._folders))
        _, result = self._run(words, 1000, timeout_s=timeout_s)
        if result.exit_code:
            raise SandboxError(f"cannot clear the sandbox's files: {result.output}")
        for number, folder in enumerate(self._folders):
            with self._kept(name, number).open("rb") as file:
                self._live().put(folder, file, until)

    def diff(self, *, timeout_s: float) -> tuple[Change, ...]:
        """See `Sandbox.diff`: the whole workspace is compared with the source."""
        archive = b"".join(self._pieces(self._workspace, time.monotonic() + timeout_s))
        return changes(archive, self._source, max_bytes=self._limits.read_bytes, is_whole=True)

    def close(self) -> None:
        """See `Sandbox.close`."""
        if self._closed:
            return
        self._closed = True
        if self._container is not None:
            self._container.close()
        self._daemon.close()
        shutil.rmtree(self._labelled.folder, ignore_errors=True)

    def _live(self) -> Container:
        if self._closed or self._container is None:
            raise SandboxError("the sandbox is closed")
        return self._container

    def _kept(self, name: str, number: int) -> Path:
        return self._labelled.folder / f"{name}-{number}.tar"

    def _pieces(self, folder: str, until: float) -> Iterator[bytes]:
        """A folder's archive.

        Raises:
            OSError: it is larger than what the disk holds: files of holes.
        """
        num_bytes, limits = 0, self._limits
        most = 2 * (limits.disk_bytes + self._room[0]) + 4096 * (limits.disk_files + self._room[1])
        for piece in self._live().get(folder, until):
            num_bytes += len(piece)
            if num_bytes > most:
                raise OSError(errno.EFBIG, f"the files have more than {most:,} bytes", folder)
            yield piece

    def _run(
        self, words: tuple[bytes, ...], keep_bytes: int, stdin: bytes = b"", *, timeout_s: float
    ) -> tuple[Ran, ExecResult]:
        """Run a program inside, and make sure that nothing of it runs on."""
        argv = ["/bin/sh", "-c", START, "sh", *self._environment, *_texts(words)]
        ran, out_of_memory = self._live().run(
            argv, timeout_s=timeout_s, keep_bytes=keep_bytes, stdin=stdin
        )
        if ran.exit_code == NOT_STARTED and not (out_of_memory or ran.timed_out):
            why = " ".join(ran.output.decode(errors="replace").split())[:500]
            raise SandboxError(f"the sandbox is lost: {why}")
        if out_of_memory:
            code = 137 if ran.exit_code == NOT_STARTED else ran.exit_code
            return ran, replace(ran.result(code), killed="memory")
        return ran, ran.result(124 if ran.timed_out else ran.exit_code)


def remove_left(name: str, address: str) -> None:
    """Remove a dead program's container, which the engine does by itself unless it is ill."""
    with suppress(AgentGymError), closing(Daemon(address)) as daemon:
        remove(daemon, name)


def _texts(words: tuple[bytes, ...]) -> list[str]:
    """Words for the engine, which takes Unicode alone: others are escaped, and a shell undoes it.

    Raises:
        OSError: they are too long then.
    """
    with suppress(UnicodeDecodeError):
        return [each.decode() for each in words]
    argv = ["/bin/bash", "-c", UNESCAPE, "bash"]
    for each in words:
        escaped = re.sub(rb"[\\\x80-\xff]", lambda found: b"\\x%02x" % found[0][0], each)
        argv.append(word(escaped.decode()).decode())
    return argv


def _size(folder: Path) -> tuple[int, int]:
    """The bytes and files that a folder takes in memory."""
    sizes = [0]
    for top, folders, names in os.walk(folder):
        sizes += [os.lstat(os.path.join(top, name)).st_size for name in (*folders, *names)]
    return sum(-(-size // PAGE_BYTES) * PAGE_BYTES for size in sizes), len(sizes)

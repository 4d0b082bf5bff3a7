"""Container: one container of a Docker engine, and the programs that are run in it.

Its first process starts them, as the engine takes long to. That process waits on a connection that
ends with ours, however we die: then the engine removes the container and its files.
"""

from __future__ import annotations

import io
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

from docker.errors import APIError, NotFound

from agentgym.errors import AgentGymError, DeadlineError, SandboxError
from agentgym.sandbox import Limits
from agentgym.sandboxes import owners
from agentgym.sandboxes.attached import ERRORS, OUTPUT, Attached, UntilMark
from agentgym.sandboxes.daemon import Daemon

LABEL = "agentgym.sandbox"
CAPABILITIES = ("KILL", "SETUID", "SETGID", "DAC_OVERRIDE")
"""Of our own process alone: to end what was left, to become `AS_USER`, to read all files."""
AS_USER = (
    b"setpriv", b"--reuid=1000", b"--regid=1000", b"--clear-groups", b"--inh-caps=-all", b"--",
)  # fmt: skip
"""The start of a command line of one without rights: no capability outlives a change of user."""
END_S = 20.0
"""For what follows a program: its end, and that of what it left."""
BEGIN = 'IFS= read -r -d "" agent; eval "$agent"'
"""Short, as whoever lists processes sees it."""
AGENT = """exec 3>&2 2>/dev/null
for each in env head setpriv tar; do
  command -v "$each" >/dev/null || { echo "the image has no '$each'"; exit; }
done
chmod 622 /proc/self/fd/3 && echo ready
next() { IFS= read -r -d "" "$1"; }
started() {
  ( echo 500 > /proc/self/oom_score_adj; exec "${words[@]}" ) >/proc/self/fd/3 2>&1 3>&-
}
while next what; do
  next mark
  case $what in
  run)
    next size && next count && words=()
    while [ ${#words[@]} -lt "$count" ]; do next word && words+=("$word"); done
    if [ "$size" = 0 ]; then
      { started </dev/null; echo "ended $?"; } &
    else
      head -c "$size" | started
      echo "ended $?"
      while next word && [ "$word" != "$mark" ]; do :; done
    fi ;;
  kill)
    while kill -9 -1; do wait; done
    killed=0
    for file in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
      [ ! -r "$file" ] || while read -r name count; do
        [ "$name" != oom_kill ] || killed=$count
      done < "$file"
    done
    printf %s "$mark" >&3
    echo "killed $killed" ;;
  esac
done"""
"""Our process inside, of a user whom the code inside cannot reach. All words that it reads end with
NUL. It starts a program in the background, or with input and waits for it; and it ends all others
and says how many were ever killed for memory. A mark ends the output: nothing that could write runs
then. Each program opens that anew, which `chmod` lets it, or it could set how others write to it;
and is the first to go where memory runs out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What containers are made like."""

    address: str | None
    """Of the engine; see `Daemon`."""
    image: str
    workspace: str
    shown: tuple[str, ...]
    """Folders of the engine's machine, read-only, where they are."""
    limits: Limits
    room: tuple[int, int] = (0, 0)
    """Bytes and files that the workspace has beyond the limits: what it starts with."""

    def config(self, name: str) -> dict[str, Any]:
        """What the engine is asked for."""
        # Nothing of the image's environment: it may name folders that the code inside can write.
        clean = ["env", "-i", "LC_ALL=C", "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"]
        return {
            "Image": self.image,
            "Cmd": [*clean, "/bin/bash", "-c", BEGIN],
            "Entrypoint": [],
            "User": "0:0",
            "WorkingDir": self.workspace,
            "Hostname": "sandbox",
            "NetworkDisabled": True,  # the kernel's loopback alone, and faster than mode "none"
            "OpenStdin": True,
            "StdinOnce": True,
            "AttachStdin": True,
            "AttachStdout": True,
            "AttachStderr": True,
            "Labels": {LABEL: name},
            "HostConfig": self.host_config(),
        }

    def host_config(self) -> dict[str, Any]:
        """What the engine calls so: what holds the code in, and what it may use."""
        limits = self.limits
        disk = (limits.disk_bytes + self.room[0], limits.disk_files + self.room[1])
        return {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "CapAdd": [*CAPABILITIES],
            "SecurityOpt": ["no-new-privileges"],
            "Binds": [f"{each}:{each}:ro" for each in self.shown],
            "Tmpfs": {
                self.workspace: _memory_disk(*disk),
                "/tmp": _memory_disk(limits.disk_bytes, limits.disk_files),
            },
            "Init": True,
            "AutoRemove": True,
            "LogConfig": {"Type": "none"},
            "Memory": limits.memory_bytes,
            "MemorySwap": limits.memory_bytes,
            "PidsLimit": limits.processes,
            "NanoCpus": int(limits.cpus * 1e9),
            "ShmSize": limits.disk_bytes,
            "Ulimits": [
                {"Name": "core", "Soft": 0, "Hard": 0},
                {"Name": "fsize", "Soft": limits.disk_bytes, "Hard": limits.disk_bytes},
            ],
        }


def _memory_disk(num_bytes: int, num_files: int) -> str:
    return f"exec,size={num_bytes},nr_inodes={num_files},uid=1000,gid=1000,mode=0755"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program in a container ended."""

    exit_code: int | None
    """None where it was ended at its deadline."""
    out_of_memory: bool
    """Whether a process was killed for memory meanwhile."""


class Container:
    """A running container, and a folder of this machine for what belongs to it."""

    def __init__(self, spec: Spec, *, run: str, until: float) -> None:
        self._daemon, self._spec = Daemon(spec.address), spec
        label = owners.label(driver="docker", run=run, engine=self._daemon.address)
        self.folder, self.name = label.folder, label.folder.name
        self._attached: Attached | None = None
        self._told = bytearray()
        self._output = UntilMark(b"\0", lambda _: None)
        self._num_killed = 0
        try:
            with self._daemon.calls(until, what="cannot make the container") as api:
                api.create_container_from_config(spec.config(self.name), self.name)
                streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
                takes = {OUTPUT: self._told.extend, ERRORS: self._take}
                self._attached = Attached(api.attach_socket(self.name, streams), takes)
                api.start(self.name)
            if (told := self._ask((AGENT.encode(),), until)) != "ready":
                raise SandboxError(f"cannot make the container: {told or 'its start takes long'}")
        except BaseException:
            self.close()
            raise

    def _take(self, data: bytes) -> None:
        self._output.add(data)

    def run(
        self,
        words: tuple[bytes, ...],
        *,
        until: float,
        take: Callable[[bytes], object],
        file: BinaryIO | None = None,
    ) -> Ended:
        """Run a program, then end what it left.

        Args:
            words: the program and its arguments; see `AS_USER`.
            take: gets its output, piece by piece.
            file: its input; such a program is one of ours, which ends.

        Raises:
            DeadlineError: it had input, and takes longer: the sandbox is lost.
        """
        mark = secrets.token_hex(16).encode()
        self._output = UntilMark(mark, take)
        size = file.seek(0, io.SEEK_END) if file is not None else 0
        if file is not None:
            file.seek(0)
        head = (b"run", mark, b"%d" % size, b"%d" % len(words), *words)
        ending = b"\0" + mark + b"\0" if size else b""
        told = self._ask(head, until, file if size else None, ending)
        if size and told is None:
            self.close()
            raise DeadlineError("the sandbox took longer than its deadline, and was destroyed")
        num_killed = int(self._kill(mark).removeprefix("killed "))
        out_of_memory, self._num_killed = num_killed > self._num_killed, num_killed
        exit_code = None if told is None else int(told.removeprefix("ended "))
        return Ended(exit_code=exit_code, out_of_memory=out_of_memory)

    def _kill(self, mark: bytes) -> str:
        """End everything but our own processes, and wait for the last of the output."""
        done = time.monotonic() + END_S
        # Where the program ended at this very moment, that is told first.
        told = self._ask((b"kill", mark), done)
        while told is not None and not told.startswith("killed "):
            told = self._answer(done)
        while not self._output.found:
            if told is None or time.monotonic() > done:
                raise SandboxError("the sandbox is lost: its processes do not end")
            self._exchange(done)
        assert told is not None
        return told

    def _ask(
        self,
        words: tuple[bytes, ...],
        until: float,
        file: BinaryIO | None = None,
        ending: bytes = b"",
    ) -> str | None:
        """What our process answers; None at the deadline."""
        if self._attached is None:
            raise SandboxError("the sandbox is lost: it was destroyed")
        self._attached.send(b"".join(each + b"\0" for each in words), file, ending)
        return self._answer(until)

    def _answer(self, until: float) -> str | None:
        while b"\n" not in self._told:
            if time.monotonic() > until:
                return None
            self._exchange(until)
        line, _, rest = bytes(self._told).partition(b"\n")
        self._told[:] = rest
        return line.decode()

    def _exchange(self, until: float) -> None:
        assert self._attached is not None
        self._attached.exchange(until - time.monotonic())
        if self._attached.ended:
            told = bytes(self._told).decode().strip()
            raise SandboxError(f"the sandbox is lost: its first process ended {told}".rstrip())

    @property
    def alive(self) -> bool:
        """Whether it answers."""
        with suppress(AgentGymError):
            mark = secrets.token_hex(16).encode()
            self._output = UntilMark(mark, lambda _: None)
            return self._kill(mark) != ""
        return False

    def close(self) -> None:
        """Remove it, its files, and its folder."""
        if self._attached is not None:
            self._attached.close()
            self._attached = None
        try:
            remove(self._daemon, self.name)
        finally:
            self._daemon.close()
            shutil.rmtree(self.folder, ignore_errors=True)


def remove(daemon: Daemon, name: str) -> None:
    """Remove a container, if there is one."""
    with daemon.calls(time.monotonic() + END_S, what=f"cannot remove {name}") as api:
        try:
            api.remove_container(name, force=True, v=True)
        except NotFound:
            pass
        except APIError as error:  # it is being removed
            if error.status_code != 409:
                raise

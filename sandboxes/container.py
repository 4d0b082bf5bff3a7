"""Container: one container of a Docker engine, and the programs that are run in it.

Its first process waits on a connection that ends with ours, however we die: then the engine removes
the container and its files.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, cast

from docker.errors import APIError, NotFound

from agentgym.errors import DeadlineError, SandboxError
from agentgym.sandbox import Limits
from agentgym.sandboxes.attached import Attached
from agentgym.sandboxes.daemon import Daemon
from agentgym.sandboxes.running import HeadTail, Ran

LABEL = "agentgym.sandbox"
USER, WATCHER = "1000:1000", "0:0"
OWN_PROCESSES = 2
"""The engine's init, which ends what was left to it, and the one that waits for our death."""
LOOK_S, SELDOM_S = 0.02, 0.25
"""How often to ask whether a program has ended: the engine keeps its output open for two seconds
more where another program holds it."""
END_S = 20.0
"""For what follows a program: its end, and that of what it left."""
NOT_STARTED = 255
WATCH = """while read what; do
  [ "$what" != kill ] || kill -9 -1
  set -- /proc/[0-9]*
  killed=0
  for file in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
    [ ! -r "$file" ] || while read name count; do
      [ "$name" != oom_kill ] || killed=$count
    done < "$file"
  done
  echo "$# $killed"
done"""
"""Our process inside: a line in, a line out. It may kill, all others at once, and nothing else; it
starts none, so that no limit stops it, and is of another user, so that the code inside cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What containers are made like."""

    image: str
    workspace: str
    shown: tuple[str, ...]
    """Folders of the engine's machine, read-only, where they are."""
    limits: Limits
    room: tuple[int, int] = (0, 0)
    """Bytes and files that the workspace has beyond the limits: what it starts with."""

    def host_config(self) -> dict[str, Any]:
        """What the engine calls so: what holds the code in, and what it may use."""
        limits = self.limits
        disk = (limits.disk_bytes + self.room[0], limits.disk_files + self.room[1])
        return {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "CapAdd": ["KILL"],  # of our own process alone
            "SecurityOpt": ["no-new-privileges"],
            "Binds": [f"{each}:{each}:ro" for each in self.shown],
            "Init": True,
            "AutoRemove": True,
            "Memory": limits.memory_bytes,
            "MemorySwap": limits.memory_bytes,
            "PidsLimit": limits.processes,
            "NanoCpus": int(limits.cpus * 1e9),
            "ShmSize": limits.disk_bytes,
            "Ulimits": [
                {"Name": "core", "Soft": 0, "Hard": 0},
                {"Name": "fsize", "Soft": limits.disk_bytes, "Hard": limits.disk_bytes},
            ],
            "Mounts": [
                _memory_disk(self.workspace, *disk),
                _memory_disk("/tmp", limits.disk_bytes, limits.disk_files),
            ],
        }


def _memory_disk(where: str, num_bytes: int, num_files: int) -> dict[str, Any]:
    """A volume, which is gone with its container; the engine's archives do not see a tmpfs."""
    options = f"size={num_bytes},nr_inodes={num_files},uid=1000,gid=1000,mode=0755,nosuid,nodev"
    local = {"type": "tmpfs", "device": "tmpfs", "o": options}
    driver = {"Name": "local", "Options": local}
    return {"Type": "volume", "Target": where, "VolumeOptions": {"DriverConfig": driver}}


class Container:
    """A running container."""

    def __init__(self, daemon: Daemon, spec: Spec, *, name: str, until: float) -> None:
        self._daemon, self._spec, self.name = daemon, spec, name
        self._watch: Attached | None = None
        self._told = bytearray()
        config = {
            "Image": spec.image,
            "Cmd": ["/bin/sh", "-c", WATCH],
            "Entrypoint": [],
            "User": WATCHER,
            "Hostname": "sandbox",
            "OpenStdin": True,
            "StdinOnce": True,
            "AttachStdin": True,
            "AttachStdout": True,
            "Labels": {LABEL: name},
            "HostConfig": spec.host_config(),
        }
        try:
            with daemon.calls(until, what="cannot make the container") as api:
                api.create_container_from_config(config, name)
                streams = {"stdin": 1, "stdout": 1, "stream": 1}
                self._watch = Attached(api.attach_socket(name, streams), self._told.extend)
                api.start(name)
        except BaseException:
            self.close()
            raise

    def run(
        self,
        argv: list[str],
        *,
        timeout_s: float,
        keep_bytes: int,
        stdin: bytes = b"",
    ) -> tuple[Ran, bool]:
        """Run a program, then end what it left; and whether memory ran out.

        Returns:
            The exit code is `NOT_STARTED` where the engine could not start it.
        """
        until, kept = time.monotonic() + timeout_s, HeadTail(keep_bytes)
        _, killed_before = self._ask(until)
        with self._daemon.calls(until) as api:
            made = api.exec_create(
                self.name, argv, stdin=bool(stdin), user=USER, workdir=self._spec.workspace
            )["Id"]
            with closing(Attached(api.exec_start(made, socket=True), kept.add, stdin)) as attached:
                timed_out = not self._wait(made, attached, until)
                done = time.monotonic() + END_S
                facts = self._end(made, done)
                while not attached.ended:
                    if time.monotonic() > done:
                        raise SandboxError("the sandbox is lost: its output does not end")
                    attached.exchange(0.1)
        ran = Ran(
            exit_code=facts["ExitCode"] if facts["Pid"] else NOT_STARTED,
            output=kept.content(),
            lost_bytes=kept.lost_bytes,
            timed_out=timed_out,
        )
        return ran, self._ask(done)[1] > killed_before

    def _wait(self, made: str, attached: Attached, until: float) -> bool:
        """Whether the program ended before the deadline."""
        look_s = LOOK_S
        while (left := until - time.monotonic()) > 0:
            if attached.ended:
                return True
            if not attached.exchange(min(left, look_s)):
                if not self._facts(made, time.monotonic() + END_S)["Running"]:
                    return True
                look_s = min(SELDOM_S, 1.5 * look_s)
        return attached.ended

    def _facts(self, made: str, until: float) -> dict[str, Any]:
        with self._daemon.calls(until) as api:
            return cast(dict[str, Any], api.exec_inspect(made))

    def _end(self, made: str, until: float) -> dict[str, Any]:
        """End everything but our own processes; the facts of the program that was run."""
        while True:
            num_processes, _ = self._ask(until, "kill")
            facts = self._facts(made, until)
            if num_processes <= OWN_PROCESSES and not facts["Running"]:
                return facts
            time.sleep(0.001)  # an end is counted a little later

    def _ask(self, until: float, what: str = "") -> tuple[int, int]:
        """How many processes it has, and how many were ever killed for memory."""
        assert self._watch is not None
        self._told.clear()
        self._watch.send(what.encode() + b"\n")
        while not self._told.endswith(b"\n"):
            self._watch.exchange(until - time.monotonic())
            if self._watch.ended:
                raise SandboxError("the sandbox is lost: its first process was killed")
            if time.monotonic() > until:
                raise DeadlineError("the sandbox's first process does not answer")
        num_processes, num_killed = self._told.split()
        return int(num_processes), int(num_killed)

    def get(self, path: str, until: float) -> Iterator[bytes]:
        """A folder as an archive, in pieces; members' names begin with `./`."""
        with self._daemon.calls(until) as api:
            pieces, _ = api.get_archive(self.name, f"{path}/.")
            for piece in pieces:
                if time.monotonic() > until:
                    raise DeadlineError("the sandbox's files took longer than their deadline")
                yield piece

    def put(self, path: str, archive: Any, until: float) -> None:
        """Unpack an archive in a folder."""
        with self._daemon.calls(until) as api:
            api.put_archive(self.name, path, archive)

    def close(self) -> None:
        """Remove it, and its files."""
        if self._watch is not None:
            self._watch.close()
        remove(self._daemon, self.name)


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

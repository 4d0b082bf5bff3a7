"""Holder: a process in namespaces of its own, which holds a sandbox's files and its commands.

Everything lies in memory-backed file systems of limited size that only its mount namespace has, and
it is the first process of its process namespace: with it the kernel ends all others, however far
their start is. Nothing is left on the host, whoever was killed when.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from agentgym.errors import DeadlineError, SandboxError
from agentgym.sandbox import Limits
from agentgym.sandboxes.running import CHUNK_BYTES, Program, Ran, run

TOOLS = ("bwrap", "mount", "nsenter", "prlimit", "tar", "unshare")
OVERLAY = (
    "mount -t overlay overlay"
    " -o userxattr,lowerdir=lower,upperdir=disk/upper,workdir=disk/work top\n"
)
# Paths in the overlay's options are relative: the code inside can read them in its mountinfo.
START = (
    """set -e
mount -t tmpfs -o "size=$2,nr_inodes=$3,mode=755" agentgym "$1"
cd "$1"
mkdir disk disk/upper disk/work disk/tmp kept lower top
[ -z "$4" ] || mount --bind "$4" lower
echo "agent:x:1000:1000::/tmp:/bin/bash" > passwd
echo "agent:x:1000:" > group
"""
    + OVERLAY
    # Then it waits for our word, or for our end. Orphans of commands become its children, and end
    # without being waited for.
    + "echo ready\nexec env --ignore-signal=CHLD head -c 1\n"
)
SNAPSHOT = """set -e
cd "$1"
[ "$2" != 0 ] || mount -t tmpfs -o mode=755 agentgym kept
mkdir "kept/$2"
cp -a disk/upper disk/tmp "kept/$2/"
"""
RESTORE = (
    """set -e
cd "$1"
umount top
rm -rf disk/upper disk/tmp disk/work
cp -a "kept/$2/." disk/
mkdir disk/work
"""
    + OVERLAY
)
DIFF = (
    "exec tar --create --sparse --format=posix --xattrs --xattrs-include='user.overlay.*'"
    ' -C "$1/disk/upper" . 2>/dev/null\n'
)
END = "kill -9 -1 2>/dev/null; exit 0"
END_S = 5.0
"""For what takes no time."""


def find_tool(name: str) -> str:
    """A program's path; daemons may lack the folders of system programs in theirs.

    Raises:
        SandboxError: it is not installed.
    """
    found = shutil.which(name, path=f"{os.defpath}:/usr/bin:/usr/sbin:/sbin:/usr/local/bin")
    if found is None:
        package = {"bwrap": "bubblewrap", "tar": "tar"}.get(name, "util-linux")
        raise SandboxError(f"'{name}' is not installed; install the package {package}")
    return found


class Holder:
    """The namespace with `lower`, `disk` (upper, work, tmp), `kept` and the overlay `top`."""

    def __init__(
        self, folder: Path, source: Path | None, limits: Limits, *, timeout_s: float
    ) -> None:
        self.folder = folder
        # Only root may mount; anybody may in a user namespace where they are root.
        self._user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
        sizes = (str(limits.disk_bytes), str(limits.disk_files))
        script = ("/bin/sh", "-c", START, "sh", str(folder), *sizes, str(source or ""))
        namespaces = ("--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc")
        self._process = subprocess.Popen(
            [find_tool("unshare"), *self._user, *namespaces, "--kill-child", *script],
            env={"PATH": os.defpath + ":/usr/sbin:/sbin"},
            stdin=subprocess.PIPE,  # closed by our death, however we die: then `head` ends
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            bufsize=0,
        )
        try:
            self._wait_ready(time.monotonic() + timeout_s)
        except BaseException:
            self.close()
            raise

    def _wait_ready(self, until: float) -> None:
        assert self._process.stdout is not None
        said = b""
        while b"ready\n" not in said:
            if not select.select([self._process.stdout], [], [], until - time.monotonic())[0]:
                raise DeadlineError("making the sandbox's workspace outlived its deadline")
            data = os.read(self._process.stdout.fileno(), CHUNK_BYTES)
            if not data:
                why = " ".join(said.decode(errors="replace").split())
                raise SandboxError(f"cannot make the sandbox's workspace: {why}")
            said += data

    @property
    def alive(self) -> bool:
        """Whether the files are still there."""
        return self._process.poll() is None

    def enter(self) -> tuple[str, ...]:
        """The start of a command line that runs in the namespaces, as a child of it."""
        of = f"/proc/{self._process.pid}/ns"
        user = (f"--user={of}/user", "--preserve-credentials") if self._user else ()
        own = (f"--mount={of}/mnt", f"--pid={of}/pid_for_children")
        return (find_tool("nsenter"), *user, *own, "--")

    def script(
        self, text: str, *words: str, timeout_s: float, keep_bytes: int = CHUNK_BYTES
    ) -> Ran:
        """Run one of this module's scripts on the files.

        Raises:
            DeadlineError: it took too long.
            SandboxError: it failed.
        """
        argv = (*self.enter(), "/bin/sh", "-c", text, "sh", str(self.folder), *words)
        ran = run(
            Program(argv=argv, env={"PATH": os.defpath + ":/usr/sbin:/sbin"}),
            timeout_s=timeout_s,
            keep_bytes=keep_bytes,
        )
        if ran.timed_out:
            raise DeadlineError(f"the sandbox's files took longer than {timeout_s:g} s")
        if ran.exit_code:
            raise SandboxError(f"the sandbox's files: {ran.output.decode(errors='replace')[:500]}")
        return ran

    def end_commands(self) -> None:
        """End all that runs beside the holder."""
        self.script(END, timeout_s=END_S)

    def close(self) -> None:
        """End the namespaces, and with them the files."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError, subprocess.TimeoutExpired):
            self._process.stdin.write(b".")
            self._process.wait(END_S)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

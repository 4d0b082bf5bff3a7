"""Holder: a process in a mount namespace of its own, which holds a sandbox's files.

Everything lies in memory-backed file systems of limited size that only this namespace has. With the
process they are gone: nothing is left on the host, whoever was killed when.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
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
    + "echo ready\nexec cat\n"
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
        namespace = ("--mount", "--propagation", "private")
        self._process = subprocess.Popen(
            [find_tool("unshare"), *self._user, *namespace, *script],
            env={"PATH": os.defpath + ":/usr/sbin:/sbin"},
            stdin=subprocess.PIPE,  # closed by our death, however we die: then `cat` ends
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
        """The start of a command line that runs in the namespace."""
        namespaces = f"/proc/{self._process.pid}/ns"
        user = (f"--user={namespaces}/user", "--preserve-credentials") if self._user else ()
        return (find_tool("nsenter"), *user, f"--mount={namespaces}/mnt", "--")

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

    def close(self) -> None:
        """End the namespace, and with it the files."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

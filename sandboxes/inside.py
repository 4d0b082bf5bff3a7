"""Inside: a sandbox's files, read and written by programs in it, so that no link leads out."""

from __future__ import annotations

import errno
from collections.abc import Callable

from agentgym.errors import DeadlineError
from agentgym.sandbox import ExecResult
from agentgym.sandboxes.running import Ran, word

READ = '[ -f "$1" ] || { [ -e "$1" ] && exit 65; exit 64; }; exec head -c "$2" -- "$1"'
WRITE = (
    '[ ! -e "$1" ] || [ -f "$1" ] || exit 65; '  # a pipe in the file's place would wait for ever
    'case "$1" in */*) [ -d "${1%/*}/" ] || mkdir -p -- "${1%/*}" || exit;; esac; '
    'exec head -c "$2" > "$1"'  # not all drivers can end the input
)
MISSING, NO_FILE = 64, 65

Run = Callable[[tuple[bytes, ...], int, bytes], tuple[Ran, ExecResult]]
"""Runs a program inside: its words, how many bytes of its output to keep, and its input."""


def read(run: Run, path: str, *, limit: int) -> bytes:
    """See `Sandbox.read`."""
    ran, result = run(_script(READ, path, limit + 1), limit + 2, b"")
    if result.exit_code == MISSING:
        raise FileNotFoundError(errno.ENOENT, "no such file in the sandbox", path)
    _refuse(path, result)
    if len(ran.output) > limit:
        raise OSError(errno.EFBIG, f"the file has more than {limit:,} bytes", path)
    return ran.output


def write(run: Run, path: str, data: bytes) -> None:
    """See `Sandbox.write`."""
    _, result = run(_script(WRITE, path, len(data)), 1000, data)
    _refuse(path, result)


def _script(text: str, path: str, size: int) -> tuple[bytes, ...]:
    return (b"/bin/sh", b"-c", text.encode(), b"sh", word(path), str(size).encode())


def _refuse(path: str, result: ExecResult) -> None:
    """Raise for what did not work."""
    if result.killed == "deadline":
        raise DeadlineError(f"'{path}' in the sandbox took longer than its deadline")
    if result.exit_code == NO_FILE:
        raise OSError(errno.EINVAL, "not a file", path)
    if result.exit_code:
        raise OSError(errno.EIO, " ".join(result.output.split())[:500], path)

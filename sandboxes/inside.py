"""Inside: commands and files, by programs run in the sandbox, so that no link leads out."""

from __future__ import annotations

import errno
from typing import Any

from agentgym.errors import AgentGymError, DeadlineError, UsageError
from agentgym.sandbox import ExecResult, Limits, Sandbox
from agentgym.sandboxes.running import Ran, word

READ = '[ -f "$1" ] || { [ -e "$1" ] && exit 65; exit 64; }; exec head -c "$2" -- "$1"'
WRITE = (
    '[ ! -e "$1" ] || [ -f "$1" ] || exit 65; '  # a pipe in the file's place would wait for ever
    'case "$1" in */*) [ -d "${1%/*}/" ] || mkdir -p -- "${1%/*}" || exit;; esac; '
    'exec cat > "$1"'
)
MISSING, NO_FILE = 64, 65
PROBE_S = 20.0
"""For a sandbox that tells whether its driver works; a machine's first container takes longer."""


class Inside(Sandbox):
    """A sandbox that can run any program inside it; the rest follows from that."""

    _limits: Limits
    _num_snapshots = 0

    def _run(
        self, words: tuple[bytes, ...], keep_bytes: int, stdin: bytes = b"", *, timeout_s: float
    ) -> tuple[Ran, ExecResult]:
        """Run a program inside, and make sure that nothing of it runs on."""
        raise NotImplementedError

    @classmethod
    def unavailable(cls) -> str | None:
        """Why it does not work here, in one line; None where it does."""
        make: Any = cls
        try:
            with make(timeout_s=PROBE_S) as sandbox:
                result = sandbox.exec("echo works", timeout_s=PROBE_S)
        except (AgentGymError, OSError) as error:
            return " ".join(str(error).split())
        return None if result.output == "works\n" else f"its commands give {result}"

    def exec(self, command: str, *, timeout_s: float) -> ExecResult:
        """See `Sandbox.exec`."""
        try:
            words = (b"/bin/bash", b"-c", word(command))
        except OSError as error:
            return ExecResult(exit_code=126, output=f"bash: {error.strerror}\n")
        return self._run(words, self._limits.output_bytes, timeout_s=timeout_s)[1]

    def read(self, path: str, *, timeout_s: float) -> bytes:
        """See `Sandbox.read`. The path means what it means inside: no link leads out."""
        limit = self._limits.read_bytes
        words = (*_script(READ, path), str(limit + 1).encode())
        ran, result = self._run(words, limit + 2, timeout_s=timeout_s)
        if result.exit_code == MISSING:
            raise FileNotFoundError(errno.ENOENT, "no such file in the sandbox", path)
        _refuse(path, result)
        if len(ran.output) > limit:
            raise OSError(errno.EFBIG, f"the file has more than {limit:,} bytes", path)
        return ran.output

    def write(self, path: str, data: bytes, *, timeout_s: float) -> None:
        """See `Sandbox.write`. The path means what it means inside: no link leads out."""
        _, result = self._run(_script(WRITE, path), 1000, data, timeout_s=timeout_s)
        _refuse(path, result)

    def _check_snapshot(self, name: str) -> None:
        if name not in map(str, range(self._num_snapshots)):
            raise UsageError(f"this sandbox has no snapshot '{name}'")


def _script(text: str, path: str) -> tuple[bytes, ...]:
    return (b"/bin/sh", b"-c", text.encode(), b"sh", word(path))


def _refuse(path: str, result: ExecResult) -> None:
    """Raise for what did not work."""
    if result.killed == "deadline":
        raise DeadlineError(f"'{path}' in the sandbox took longer than its deadline")
    if result.exit_code == NO_FILE:
        raise OSError(errno.EINVAL, "not a file", path)
    if result.exit_code:
        raise OSError(errno.EIO, " ".join(result.output.split())[:500], path)

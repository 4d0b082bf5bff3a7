"""The sandbox protocol: where an environment runs commands. Every call has a deadline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """What a command in a sandbox did."""

    exit_code: int
    output: str
    """Standard output and error, interleaved."""


class Sandbox(Protocol):
    """A place to run commands in.

    Every method raises `SandboxError` when the sandbox itself fails, and `DeadlineError` past
    its deadline; a command that fails is a result, not an error.
    """

    def exec(self, command: str, *, timeout_s: float) -> ExecResult:
        """Run a shell command to its end."""
        ...

    def read(self, path: str, *, timeout_s: float) -> bytes:
        """A file's content.

        Raises:
            FileNotFoundError: there is no such file.
        """
        ...

    def write(self, path: str, data: bytes, *, timeout_s: float) -> None:
        """Write a file."""
        ...

    def close(self) -> None:
        """Destroy it; may be called twice."""
        ...

"""The sandbox protocol: where an environment runs commands. Every call has a deadline."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from agentgym.errors import SandboxError, UsageError
from agentgym.registry import sandboxes

WORKSPACE = "/workspace"
"""Where a sandbox that has a root of its own shows the files to work on."""


ISOLATING = ("bubblewrap", "docker")
"""The drivers that hold code in, the first choice first."""


class Limits(BaseModel):
    """What a sandbox may use."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    memory_bytes: PositiveInt = 2 * 2**30
    """Of all its processes together, the files they wrote included."""
    processes: PositiveInt = 256
    """Threads count as processes."""
    cpus: PositiveFloat = 1.0
    """CPU seconds a second."""
    disk_bytes: PositiveInt = 512 * 2**20
    """What was changed in the workspace, and /tmp. A snapshot takes what it holds once more."""
    disk_files: PositiveInt = 100_000
    output_bytes: int = Field(default=64 * 2**10, ge=2)
    """Of a command's output so much is kept, half from its start and half from its end."""
    read_bytes: PositiveInt = 16 * 2**20
    """The largest file that `read` gives, and the largest sum of files that `diff` gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """What a command in a sandbox did."""

    exit_code: int
    output: str
    """Standard output and error, interleaved; a mark stands where the middle was left out."""
    lost_bytes: int = 0
    """How much was left out."""
    killed: Literal["deadline", "memory"] | None = None
    """Which limit it met, if one of the two that kill: at its deadline all of it is killed, for
    memory at least one of its processes was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One way in which the workspace differs from what it was made from."""

    path: str
    """From the workspace; bytes that are not UTF-8 are surrogates (`os.fsencode` undoes it)."""
    kind: Literal["deleted", "file", "link"]
    """Deleted is a whole folder, too. A folder appears only through what is in it."""
    data: bytes = b""
    """The file's content, or where the link points."""
    executable: bool = False


class Sandbox(Protocol):
    """A place to run commands in, made from a folder that it never changes.

    Paths are relative to the workspace or absolute in the sandbox. Every method raises
    `SandboxError` when the sandbox itself fails, and all but `exec` raise `DeadlineError` past
    their deadline. What the code inside brought about is no such error: a command that fails or
    is killed is a result, a path that cannot be used an `OSError`.
    """

    isolation: str
    """The driver, and what holds the code in, in one line."""

    def exec(self, command: str, *, timeout_s: float) -> ExecResult:
        """Run a shell command to its end, or to its deadline; nothing of it runs on."""
        ...

    def read(self, path: str, *, timeout_s: float) -> bytes:
        """A file's content.

        Raises:
            FileNotFoundError: there is no such file.
            OSError: it cannot be read, or is larger than `Limits.read_bytes`.
        """
        ...

    def write(self, path: str, data: bytes, *, timeout_s: float) -> None:
        """Write a file, and the folders above it.

        Raises:
            OSError: it cannot be written: no space, say, or a folder in its place.
        """
        ...

    def snapshot(self, *, timeout_s: float) -> str:
        """Keep all files as they are now; the name by which `restore` finds them."""
        ...

    def restore(self, name: str, *, timeout_s: float) -> None:
        """Make all files what they were at a snapshot.

        Raises:
            UsageError: this sandbox has no such snapshot.
        """
        ...

    def diff(self, *, timeout_s: float) -> tuple[Change, ...]:
        """What differs from the start, sorted by path; a deletion before what took its place.

        Raises:
            OSError: it is larger than `Limits.read_bytes`.
        """
        ...

    def close(self) -> None:
        """Destroy it; may be called twice."""
        ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def why_not(driver: str) -> str | None:
    """Why a driver that holds code in does not work here, in one line; None where it does."""
    try:
        reason: str | None = sandboxes.get(driver).unavailable()
    except UsageError as error:  # its package is not installed
        return str(error)
    return reason


def choose() -> str:
    """The first driver that holds code in and works here. Another must be asked for by name.

    Raises:
        SandboxError: none works; the message says why.
    """
    reasons = {}
    for name in ISOLATING:
        reason = why_not(name)
        if reason is None:
            return name
        reasons[name] = reason
    told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    raise SandboxError(f"no sandbox works here: {told}")

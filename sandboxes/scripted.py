"""ScriptedSandbox: replays given results, and fails on demand; runs nothing."""

from __future__ import annotations

from collections.abc import Mapping

from agentgym.errors import AgentGymError, SandboxError, UsageError
from agentgym.sandbox import Change, ExecResult, Sandbox


class ScriptedSandbox(Sandbox):
    """A sandbox that knows beforehand what every command does.

    Args:
        results: command -> what it does; any other command is not found (exit code 127).
        files: path -> content; `write` adds to them.
        faults: command, path or name of a method -> the error that its use raises.
    """

    isolation = "scripted: runs nothing"

    def __init__(
        self,
        *,
        results: Mapping[str, ExecResult] | None = None,
        files: Mapping[str, bytes] | None = None,
        faults: Mapping[str, AgentGymError] | None = None,
    ) -> None:
        self._results = dict(results or {})
        self._given = dict(files or {})
        self._files = dict(self._given)
        self._snapshots: list[dict[str, bytes]] = []
        self._faults = dict(faults or {})
        self._closed = False

    def exec(self, command: str, *, timeout_s: float) -> ExecResult:
        """The scripted result."""
        self._use(command)
        missing = ExecResult(exit_code=127, output="command not found\n")
        return self._results.get(command, missing)

    def read(self, path: str, *, timeout_s: float) -> bytes:
        """The file's content.

        Raises:
            FileNotFoundError: it was neither given nor written.
        """
        self._use(path)
        if path not in self._files:
            raise FileNotFoundError(f"no file '{path}' in the sandbox")
        return self._files[path]

    def write(self, path: str, data: bytes, *, timeout_s: float) -> None:
        """Keep the content."""
        self._use(path)
        self._files[path] = data

    def snapshot(self, *, timeout_s: float) -> str:
        """Keep the files."""
        self._use("snapshot")
        self._snapshots.append(dict(self._files))
        return str(len(self._snapshots) - 1)

    def restore(self, name: str, *, timeout_s: float) -> None:
        """The files of a snapshot.

        Raises:
            UsageError: there is no such snapshot.
        """
        self._use("restore")
        if name not in map(str, range(len(self._snapshots))):
            raise UsageError(f"this sandbox has no snapshot '{name}'")
        self._files = dict(self._snapshots[int(name)])

    def diff(self, *, timeout_s: float) -> tuple[Change, ...]:
        """What was written, and differs from what was given."""
        self._use("diff")
        items = sorted(self._files.items())
        changed = [(path, data) for path, data in items if self._given.get(path) != data]
        return tuple(Change(path=path, kind="file", data=data) for path, data in changed)

    def close(self) -> None:
        """From now on every call raises `SandboxError`."""
        self._closed = True

    def _use(self, name: str) -> None:
        if self._closed:
            raise SandboxError("the sandbox is closed")
        if name in self._faults:
            raise self._faults[name]

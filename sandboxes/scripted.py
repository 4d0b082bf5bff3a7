"""ScriptedSandbox: replays given results, and fails on demand; runs nothing."""

from __future__ import annotations

from collections.abc import Mapping

from agentgym.errors import AgentGymError, SandboxError
from agentgym.sandbox import ExecResult


class ScriptedSandbox:
    """A sandbox that knows beforehand what every command does.

    Args:
        results: command -> what it does; any other command is not found (exit code 127).
        files: path -> content; `write` adds to them.
        faults: command or path -> the error that its use raises.
    """

    def __init__(
        self,
        *,
        results: Mapping[str, ExecResult] | None = None,
        files: Mapping[str, bytes] | None = None,
        faults: Mapping[str, AgentGymError] | None = None,
    ) -> None:
        self._results = dict(results or {})
        self._files = dict(files or {})
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

    def close(self) -> None:
        """From now on every call raises `SandboxError`."""
        self._closed = True

    def _use(self, name: str) -> None:
        if self._closed:
            raise SandboxError("the sandbox is closed")
        if name in self._faults:
            raise self._faults[name]

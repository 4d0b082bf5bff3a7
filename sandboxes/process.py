"""ProcessSandbox: commands as plain processes of this machine, in a copy of the folder.

It holds nothing in: for trusted code and tests only, and used only where it is asked for by name.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from agentgym.errors import SandboxError, UsageError
from agentgym.sandbox import Change, ExecResult, Limits, Sandbox
from agentgym.sandboxes.running import Program, run, word
from agentgym.sandboxes.upper import read_entry


class ProcessSandbox(Sandbox):
    """Ends its commands at their deadlines; of the limits it keeps those of output and reading.

    Args:
        source: what the workspace starts as; None is empty.
        environment: all that commands have beside `PATH`, `HOME` and `LANG`.
        run: as other drivers have it; there is nothing to list here.
    """

    isolation = "process: no isolation"

    def __init__(
        self,
        *,
        source: Path | None = None,
        environment: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        run: str = "",
    ) -> None:
        if source is not None and not source.is_dir():
            raise UsageError(f"the sandbox's source must be a folder: {source}")
        self._limits, self._source = limits or Limits(), source
        self._folder = tempfile.TemporaryDirectory(prefix="agentgym-process-")
        self._root = Path(self._folder.name)
        self._workspace = self._root / "workspace"
        self._snapshots: list[Path] = []
        self._closed = False
        own = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": self._folder.name, "LANG": "C.UTF-8"}
        self._environment = own | {**(environment or {})}
        if source is None:
            self._workspace.mkdir()
        else:
            shutil.copytree(source, self._workspace, symlinks=True)

    def exec(self, command: str, *, timeout_s: float) -> ExecResult:
        """See `Sandbox.exec`; a process that left its group runs on."""
        self._check_open()
        try:
            argv = (b"/bin/bash", b"-c", word(command))
        except OSError as error:
            return ExecResult(exit_code=126, output=f"bash: {error.strerror}\n")
        program = Program(argv=argv, env=self._environment, cwd=self._workspace)
        ran = run(program, timeout_s=timeout_s, keep_bytes=self._limits.output_bytes)
        if ran.timed_out:
            return ran.result(124)
        return ran.result(ran.exit_code if ran.exit_code >= 0 else 128 - ran.exit_code)

    def read(self, path: str, *, timeout_s: float) -> bytes:
        """See `Sandbox.read`."""
        self._check_open()
        file = self._file(path)
        limit = self._limits.read_bytes
        if file.stat().st_size > limit:
            raise OSError(errno.EFBIG, f"the file has more than {limit:,} bytes", path)
        return file.read_bytes()

    def write(self, path: str, data: bytes, *, timeout_s: float) -> None:
        """See `Sandbox.write`."""
        self._check_open()
        file = self._file(path, must_exist=False)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def snapshot(self, *, timeout_s: float) -> str:
        """See `Sandbox.snapshot`; of the workspace alone."""
        self._check_open()
        kept = self._root / str(len(self._snapshots))
        shutil.copytree(self._workspace, kept, symlinks=True)
        self._snapshots.append(kept)
        return kept.name

    def restore(self, name: str, *, timeout_s: float) -> None:
        """See `Sandbox.restore`."""
        self._check_open()
        if name not in [kept.name for kept in self._snapshots]:
            raise UsageError(f"this sandbox has no snapshot '{name}'")
        shutil.rmtree(self._workspace)
        shutil.copytree(self._root / name, self._workspace, symlinks=True)

    def diff(self, *, timeout_s: float) -> tuple[Change, ...]:
        """See `Sandbox.diff`: both trees are compared."""
        self._check_open()
        found = sorted(
            _changes(self._source, self._workspace),
            key=lambda change: (change.path, change.kind != "deleted"),
        )
        total = sum(len(each.data) for each in found if each.kind == "file")
        if total > (limit := self._limits.read_bytes):
            raise OSError(errno.EFBIG, f"the diff has {total:,} bytes, more than {limit:,}")
        return tuple(found)

    def close(self) -> None:
        """See `Sandbox.close`."""
        self._closed = True
        self._folder.cleanup()

    def _file(self, path: str, *, must_exist: bool = True) -> Path:
        file = self._workspace / os.fsdecode(word(path))
        if must_exist and not file.exists():
            raise FileNotFoundError(errno.ENOENT, "no such file in the sandbox", path)
        if file.exists() and not file.is_file():
            raise OSError(errno.EINVAL, "not a file", path)
        return file

    def _check_open(self) -> None:
        if self._closed:
            raise SandboxError("the sandbox is closed")


def _changes(before: Path | None, after: Path, path: str = "") -> Iterator[Change]:
    """Compares two entries of one path, and all below them."""
    old, new = _is_folder(before), _is_folder(after)
    gone = before is not None and (old != new or not (new or read_entry(after, path)))
    if gone:
        yield Change(path=path, kind="deleted")
        before = None
    entry = None if new else read_entry(after, path)
    if entry is not None and (before is None or read_entry(before, path) != entry):
        yield entry
    names = set(os.listdir(after)) if new else set()
    if new and before is not None:
        names |= set(os.listdir(before))
    for name in sorted(names):
        below = None if before is None else before / name
        below = below if below is not None and os.path.lexists(below) else None
        yield from _changes(below, after / name, os.path.join(path, name))


def _is_folder(entry: Path | None) -> bool:
    return entry is not None and entry.is_dir() and not entry.is_symlink()

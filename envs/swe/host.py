"""The host as its sandboxes show it: which driver, and where Python is in it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import agentgym
from agentgym.errors import SandboxError
from agentgym.registry import sandboxes
from agentgym.sandbox import Limits, Sandbox, choose

RUN = "agentgym/SWE-v0"
PREFIXES = (Path(sys.base_prefix), Path("/usr"), Path("/usr/local"))
"""Where the sandboxes' Python may have packages."""
SYSTEM = ("/usr/local/bin", "/usr/bin", "/bin")


@cache
def chosen_driver() -> str:
    """The first driver that works here; probed once."""
    return choose()


def open_sandbox(
    driver: str | None,
    source: Path,
    *,
    limits: Limits,
    mounts: Sequence[Path] = (),
    imports: Sequence[str] = (),
) -> Sandbox:
    """A sandbox in which `python3` is the Python that runs this.

    Args:
        driver: its name; None is the first one that holds code in and works here.
        mounts: more folders of the host to show, read-only.
        imports: the folders in it from which Python imports beside its own.

    Raises:
        SandboxError: no driver works, or it would show what must be hidden.
    """
    name = driver or chosen_driver()
    base = Path(sys.base_prefix)
    path = ":".join((f"{base}/bin", *SYSTEM))
    environment = {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    if imports:
        environment["PYTHONPATH"] = ":".join(imports)
    config: dict[str, Any] = {"environment": environment}
    if name == "bubblewrap":
        shown = [*mounts, *([] if base.is_relative_to("/usr") else [base])]
        refuse_to_show(ours(), [Path("/usr"), *shown])
        config["mounts"] = shown
    found: Sandbox = sandboxes.make(name, source=source, limits=limits, run=RUN, **config)
    return found


def refuse_installed(source: Sequence[str], *, prefixes: Sequence[Path] = PREFIXES) -> None:
    """Refuse a package that the sandboxes' Python has installed: the bug is not in that copy.

    Args:
        source: files and folders, as of `Problem.source`.

    Raises:
        SandboxError: it is installed there.
    """
    for path in source:
        name = PurePosixPath(path).name
        for prefix in prefixes:
            for found in prefix.glob(f"lib/python3*/*-packages/{name}"):
                raise SandboxError(f"the agent could read the mended package in {found}; remove it")


def ours() -> Path:
    """Where this package lies, with the hidden tests in it."""
    return Path(agentgym.__file__).resolve().parents[1]


def refuse_to_show(hidden: Path, shown: Sequence[Path]) -> None:
    """Refuse a sandbox that shows a folder with what must be hidden.

    Raises:
        SandboxError: one does.
    """
    for folder in shown:
        if hidden.is_relative_to(folder.resolve()):
            raise SandboxError(
                f"agentgym is installed in {hidden}, which the sandbox would show to the agent, "
                "with the hidden tests in it; install it in a virtual environment elsewhere"
            )

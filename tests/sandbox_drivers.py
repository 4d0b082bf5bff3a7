"""Sandboxes of every driver for tests, skipped with the reason where one does not work."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from agentgym.registry import sandboxes
from agentgym.sandbox import ISOLATING, Sandbox

DRIVERS = (*ISOLATING, "process")
WAIT_S = 30.0
"""For calls that take no time unless something is broken."""


@cache
def why_not(driver: str) -> str | None:
    """Why a driver does not work here."""
    reason: str | None = sandboxes.get(driver).unavailable() if driver in ISOLATING else None
    return reason


def make(driver: str, **config: Any) -> Sandbox:
    """A sandbox."""
    if (reason := why_not(driver)) is not None:
        pytest.skip(f"{driver} does not work here: {reason}")
    sandbox: Sandbox = sandboxes.make(driver, **config)
    return sandbox

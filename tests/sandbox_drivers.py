"""Sandboxes of every driver for tests, skipped with the reason where one does not work."""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import cache
from typing import Any

import docker_engine
import psutil
import pytest
from processes import wait_gone

from agentgym.registry import sandboxes
from agentgym.sandbox import ISOLATING, Sandbox
from agentgym.sandbox import why_not as driver_why_not

DRIVERS = (*ISOLATING, "process")
WAIT_S = 30.0
"""For calls that take no time unless something is broken."""
STARTED = ExitStack()
"""What is to end with the tests."""


@cache
def why_not(driver: str) -> str | None:
    """Why a driver does not work here."""
    if driver == "docker":
        reason = STARTED.enter_context(docker_engine.engine())
        if reason is not None:
            return reason
    return driver_why_not(driver) if driver in ISOLATING else None


def make(driver: str, **config: Any) -> Sandbox:
    """A sandbox."""
    if (reason := why_not(driver)) is not None:
        pytest.skip(f"{driver} does not work here: {reason}")
    sandbox: Sandbox = sandboxes.make(driver, **config)
    return sandbox


def kill_newest(driver: str) -> None:
    """Kill the sandbox that was made last, from outside of it."""
    if driver == "docker":
        from docker import APIClient
        from docker.utils import kwargs_from_env

        with closing(APIClient(**kwargs_from_env(), version="auto")) as api:
            (newest,) = api.containers(limit=1)
            api.kill(newest["Id"])
        return
    holders = [each for each in psutil.Process().children() if each.name() == "unshare"]
    newest = max(holders, key=lambda each: each.create_time())
    (first,) = newest.children()
    first.kill()
    wait_gone([newest.pid])

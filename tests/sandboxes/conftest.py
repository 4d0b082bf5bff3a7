"""Ends what the sandboxes' tests started: a Docker engine, where none answered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandbox_drivers import STARTED


@pytest.fixture(scope="session", autouse=True)
def engine_ends() -> Iterator[None]:
    """An engine is started when the first test asks for one."""
    with STARTED:
        yield

"""The key of a state: what the workspace is, and what the last commands said."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from agentgym.sandbox import Change

SCRATCH = {"__pycache__", ".pytest_cache"}
"""Folders that come of running things; they are no part of the state."""
PASSING = (
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "0x0"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DATE"),
    (re.compile(r"\b\d\d:\d\d(:\d\d(\.\d+)?)?\b"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)? ?(s|ms|us|seconds?)\b"), "TIME"),
    (re.compile(r"/tmp/[\w./-]+"), "/tmp/FILE"),
    (re.compile(r"\bpid[ =:]*\d+", re.IGNORECASE), "pid"),
)
"""What differs from run to run though the state is the same: addresses, times, scratch files."""


def normalise_output(text: str) -> str:
    """The text without what passes.

    >>> normalise_output("Ran 3 tests in 0.012s\\n<Cart at 0x7f03a8>")
    'Ran 3 tests in TIME\\n<Cart at 0x0>'
    """
    for pattern, mark in PASSING:
        text = pattern.sub(mark, text)
    return text


def state_key(changes: Sequence[Change] | None, output: str) -> str:
    """One word for a diff (None where it is too large to have) and an output."""
    found = hashlib.sha256(repr(changes is None).encode())
    for change in changes or ():
        if not SCRATCH & set(PurePosixPath(change.path).parts):
            found.update(repr(change).encode())
    found.update(normalise_output(output).encode(errors="surrogatepass"))
    return found.hexdigest()[:16]

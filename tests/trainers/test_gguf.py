"""GGUF files: converted once, found again by content."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from agentgym.errors import UsageError
from agentgym.trainers.gguf import converted
from agentgym.trainers.policy import Policy


def test_a_converted_file_is_found_by_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTGYM_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "some.gguf"
    path.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()[:16]
    folder = tmp_path / "cache" / f"some-{digest}"
    folder.mkdir(parents=True)
    assert converted(path) == folder


def test_a_file_that_is_no_gguf_is_a_usage_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTGYM_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"not a model")
    with pytest.raises(UsageError, match="cannot load model '.*broken.gguf'"):
        Policy.load(path, device="cpu")
    assert list((tmp_path / "cache").iterdir()) == []

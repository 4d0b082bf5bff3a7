"""The memory of a run: its own process, and those below it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from agentgym.trainers.memory import give_back, peak_rss_gb

HOLD = "import sys; x = bytearray(b'1') * (300 << 20); print('here', flush=True); sys.stdin.read()"
NEST = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_below_count_while_they_live() -> None:
    """A child's child holds 300 MiB; three interpreters' own sizes are far below the rest."""
    before = peak_rss_gb()
    with subprocess.Popen(
        [sys.executable, "-c", NEST, HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n"
        during = peak_rss_gb()
        child.communicate()
    assert 0.28 < during - before < 0.4
    assert peak_rss_gb() < before + 0.1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_lies_free_between_tensors_is_given_back() -> None:
    """200 MiB in blocks of 100 KiB, of which every hundredth lives on."""
    blocks = [torch.ones(25_600) for _ in range(2000)]
    kept = blocks[::100]
    del blocks
    before = resident_mb()
    give_back()
    assert before - resident_mb() > 150
    assert all(block.sum() == 25_600 for block in kept)


def resident_mb() -> float:
    """The resident size of this process now."""
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text(encoding="utf-8"))
    assert found is not None
    return int(found[1]) / 1024

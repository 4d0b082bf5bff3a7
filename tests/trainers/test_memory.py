"""The memory of a run: its own process, and those below it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from agentgym.trainers.memory import peak_rss_gb

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

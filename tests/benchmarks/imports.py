"""How long `import agentgym` takes: `python -m tests.benchmarks.imports [--json]`.

The floor is Gymnasium, which we stand on. Each figure is processor time, the best of fresh
interpreters, as other load only slows.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

NUM_RUNS = 15
PROGRAM = "import time; t = time.process_time(); import {module}; print(time.process_time() - t)"


def import_ms(module: str) -> float:
    """The fastest import of a module, in milliseconds."""
    command = [sys.executable, "-c", PROGRAM.format(module=module)]
    seconds = (subprocess.check_output(command, text=True) for _ in range(NUM_RUNS))
    return 1000 * min(map(float, seconds))


def measure() -> Iterator[Row]:
    """The rows of this benchmark."""
    yield Row(what="import gymnasium (floor)", value=import_ms("gymnasium"), unit="ms")
    agentgym_ms = import_ms("agentgym")
    yield Row(what="import agentgym", value=agentgym_ms, unit="ms", bar=300, better="lower")


if __name__ == "__main__":
    main("imports", measure)

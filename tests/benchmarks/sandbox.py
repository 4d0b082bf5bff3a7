"""What a sandbox's calls cost: `python -m tests.benchmarks.sandbox [--json]`.

The floor is a plain process of the same shell; figures are medians of interleaved calls.
"""

from __future__ import annotations

import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from agentgym.sandbox import Sandbox
from agentgym.sandboxes import owners
from agentgym.sandboxes.bubblewrap import Bubblewrap

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

NUM_CALLS, NUM_FILES, FILE_BYTES = 60, 300, 10_000
WAIT_S = 60.0


def milliseconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - began)


def plain() -> None:
    """A command without a sandbox."""
    subprocess.run(["/bin/bash", "-c", "true"], env={}, check=True, capture_output=True)


def cpu_ms(source: Path) -> float:
    """CPU milliseconds of a command and of all that starts it: other load changes them little."""
    with Bubblewrap(source=source) as sandbox:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(NUM_CALLS):
            sandbox.exec("true", timeout_s=WAIT_S)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return 1000 * spent / NUM_CALLS


def calls(source: Path) -> dict[str, list[float]]:
    """Milliseconds of every call, by what it is; one after the other, in rounds."""
    took: dict[str, list[float]] = {}
    made: list[Sandbox] = []
    with Bubblewrap(source=source) as sandbox:
        kept = sandbox.snapshot(timeout_s=WAIT_S)
        rounds: dict[str, Callable[[], object]] = {
            "plain process": plain,
            "command": lambda: sandbox.exec("true", timeout_s=WAIT_S),
            "write": lambda: sandbox.write("new", b"x" * FILE_BYTES, timeout_s=WAIT_S),
            "read": lambda: sandbox.read("0", timeout_s=WAIT_S),
            "diff": lambda: sandbox.diff(timeout_s=WAIT_S),
            "snapshot": lambda: sandbox.snapshot(timeout_s=WAIT_S),
            "restore": lambda: sandbox.restore(kept, timeout_s=WAIT_S),
            "workspace": lambda: made.append(Bubblewrap(source=source)),
            "close": lambda: made.pop().close(),
        }
        for _ in range(NUM_CALLS):
            for what, call in rounds.items():
                took.setdefault(what, []).append(milliseconds(call))
    return took


def measure() -> Iterator[Row]:
    """The rows of this benchmark."""
    bars = {"command": 20.0, "workspace": 15.0}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(NUM_FILES):
            (Path(folder) / str(number)).write_bytes(bytes(FILE_BYTES))
        before = {each.folder for each in owners.listed()}
        took, cpu = calls(Path(folder)), cpu_ms(Path(folder))
    for what, values in took.items():
        row = Row(
            what=f"bubblewrap {what}".replace("bubblewrap plain", "plain"),
            value=median(values),
            unit="ms",
            bar=bars.get(what),
            better="lower",
        )
        yield row
        if what in ("plain process", *bars):
            yield Row(what=f"{row.what}, fastest", value=min(values), unit="ms")
    yield Row(what="bubblewrap command, CPU", value=cpu, unit="ms")
    left = len({each.folder for each in owners.listed()} - before)
    yield Row(what="sandboxes left", value=left, unit="", bar=0, better="lower")


if __name__ == "__main__":
    main("sandbox", measure)

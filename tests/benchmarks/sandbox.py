"""What a sandbox's calls cost, and what it leaves: `python -m tests.benchmarks.sandbox [--json]`.

The floors are a plain process of the same shell, and `bwrap` by itself with the same namespaces;
figures are medians of interleaved calls. Docker is measured where an engine answers, or can be
started by hand.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest does
from docker_engine import containers, engine  # noqa: E402
from processes import children, with_word  # noqa: E402

from agentgym.registry import sandboxes  # noqa: E402
from agentgym.sandbox import Sandbox  # noqa: E402
from agentgym.sandboxes import owners  # noqa: E402

from .report import Row, main  # noqa: TID252,E402  one name when run (tests.) and when type-checked

NUM_CALLS, NUM_FILES, FILE_BYTES = 60, 300, 10_000
NUM_EPISODES = 500
WAIT_S = 60.0
BARS = {
    "bubblewrap": {"command": 20.0, "workspace": 15.0},
    "docker": {"workspace": 250.0, "command": 80.0, "snapshot and restore": 300.0},
}
BARE = (
    "bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent",
    "--new-session", "--clearenv", "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin",
    "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--proc", "/proc",
    "--dev", "/dev", "--tmpfs", "/tmp", "/bin/bash", "-c", "true",
)  # fmt: skip
MARK = str(10**6 + os.getpid())
DAEMON = f"echo x > made; (setsid sleep {MARK} &)"


def milliseconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - began)


def plain(*command: str) -> Callable[[], object]:
    """A command without a sandbox of ours."""
    return lambda: subprocess.run(command, env={}, check=True, capture_output=True)


def cpu_ms(call: Callable[[], object]) -> float:
    """CPU milliseconds of our children in a call: other load changes them little."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(NUM_CALLS):
        call()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return 1000 * spent / NUM_CALLS


def calls(driver: str, source: Path, num_calls: int) -> dict[str, list[float]]:
    """Milliseconds of every call, by what it is; one after the other, in rounds."""
    took: dict[str, list[float]] = {}
    made: list[Sandbox] = []
    with make(driver, source) as sandbox:
        kept = sandbox.snapshot(timeout_s=WAIT_S)
        rounds: dict[str, Callable[[], object]] = {
            "command": lambda: sandbox.exec("true", timeout_s=WAIT_S),
            "write": lambda: sandbox.write("new", b"x" * FILE_BYTES, timeout_s=WAIT_S),
            "read": lambda: sandbox.read("0", timeout_s=WAIT_S),
            "diff": lambda: sandbox.diff(timeout_s=WAIT_S),
            "snapshot": lambda: sandbox.snapshot(timeout_s=WAIT_S),
            "restore": lambda: sandbox.restore(kept, timeout_s=WAIT_S),
            "workspace": lambda: made.append(make(driver, source)),
            "close": lambda: made.pop().close(),
        }
        floors = {"plain process": plain("/bin/bash", "-c", "true"), "bare bwrap": plain(*BARE)}
        if driver == "bubblewrap":
            rounds = floors | rounds
        for _ in range(num_calls):
            for what, call in rounds.items():
                took.setdefault(what, []).append(milliseconds(call))
    both = zip(took["snapshot"], took["restore"], strict=True)
    took["snapshot and restore"] = [sum(pair) for pair in both]
    return took


def make(driver: str, source: Path) -> Sandbox:
    """A sandbox of a driver."""
    sandbox: Sandbox = sandboxes.make(driver, source=source)
    return sandbox


def costs(driver: str, source: Path) -> Iterator[Row]:
    """The rows of one driver."""
    took = calls(driver, source, NUM_CALLS if driver == "bubblewrap" else NUM_CALLS // 3)
    bars = BARS[driver]
    for what, values in took.items():
        name = what if what in ("plain process", "bare bwrap") else f"{driver} {what}"
        bar = bars.get(what)
        yield Row(what=name, value=median(values), unit="ms", bar=bar, better="lower")
        if what in ("plain process", "bare bwrap", *bars):
            yield Row(what=f"{name}, fastest", value=min(values), unit="ms")
    if driver == "bubblewrap":
        ratio = median(took["command"]) / median(took["bare bwrap"])
        yield Row(what="bubblewrap command / bare bwrap", value=ratio, unit="ratio")
        with make(driver, source) as sandbox:
            ours = cpu_ms(lambda: sandbox.exec("true", timeout_s=WAIT_S))
        yield Row(what="bubblewrap command, CPU", value=ours, unit="ms")
        yield Row(what="bare bwrap, CPU", value=cpu_ms(plain(*BARE)), unit="ms")


def episodes(driver: str, source: Path) -> Iterator[Row]:
    """What episodes that leave a daemon, one in ten cut at a deadline, leave behind."""
    before = left()
    began = time.perf_counter()
    for number in range(NUM_EPISODES):
        with make(driver, source) as sandbox:
            sandbox.exec(DAEMON, timeout_s=WAIT_S)
            if number % 10 == 0:
                sandbox.exec(f"{DAEMON}; sleep {MARK}", timeout_s=0.1)
    seconds = time.perf_counter() - began
    yield Row(what=f"{driver} {NUM_EPISODES} episodes", value=seconds, unit="s")
    for kind, number in new_since(before).items():
        what = f"{driver} {kind} left by {NUM_EPISODES} episodes"
        yield Row(what=what, value=number, unit="", bar=0, better="lower")


def left() -> dict[str, set[str]]:
    """Our sandboxes, what runs below us or carries our mark, and containers that there are now."""
    mine = {each.folder.name for each in owners.listed() if each.owner.pid == os.getpid()}
    try:
        found = containers()
    except Exception:  # no engine
        found = set()
    processes = {str(pid) for pid in children() | set(with_word(MARK))}
    return {"sandboxes": mine, "processes": processes, "containers": found}


def new_since(before: Mapping[str, set[str]]) -> dict[str, int]:
    """How many there are of what `left` lists and did not list before."""
    time.sleep(2.0)  # what is being removed
    return {kind: len(names - before[kind]) for kind, names in left().items()}


def measure(*parts: str) -> Iterator[Row]:
    """The rows of this benchmark."""
    kinds: dict[str, Callable[[str, Path], Iterator[Row]]] = {"costs": costs, "episodes": episodes}
    with tempfile.TemporaryDirectory() as folder, engine() as why_not:
        for number in range(NUM_FILES):
            (Path(folder) / str(number)).write_bytes(bytes(FILE_BYTES))
        drivers: Sequence[str] = ("bubblewrap", "docker") if why_not is None else ("bubblewrap",)
        if why_not is not None:
            print(f"docker is not measured: {why_not}", file=sys.stderr)
        for driver in drivers:
            for part in parts or kinds:
                yield from kinds[part](driver, Path(folder))


if __name__ == "__main__":
    main("sandbox", measure, parts=("costs", "episodes"))

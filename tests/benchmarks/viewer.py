"""The viewer on a run of 50,000 episodes: `python -m tests.benchmarks.viewer [--json]`.

In the system's Chromium, best of a few tries, as other load only slows; percentiles are of one try.
The floor of what a reader waits for is the page itself: an empty run.
"""

from __future__ import annotations

import gzip
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from scored import ended, episode, group, turn
from served import ask, served
from stored_runs import write_run

import agentgym.viewer
from agentgym import store
from agentgym.rows import schema, to_row
from agentgym.sandboxes.chromium import find_chromium
from agentgym.types import Episode, EpisodeId, Group, Observation
from agentgym.viewer.export import export

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

GROUPS, MEMBERS = 32, 8
FILES = 196
"""Of 256 episodes each, as the quickstart's train steps have: 50,176."""
EXPORTED_FILES = 4
TRIES = 3
STEPS = 60
WORDS = [f"word{number}" for number in range(2000)]
AFTER_PAINT = """
function painted() {
  return new Promise(resolve => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => resolve();
    channel.port2.postMessage(0);
  }));
}
"""
STEP_THROUGH = f"""async steps => {{
  {AFTER_PAINT}
  const taken = [];
  for (let step = 0; step < steps; step++) {{
    const key = step % 2 ? (step % 4 == 1 ? 'ArrowLeft' : 'ArrowDown') : 'ArrowRight';
    const begun = performance.now();
    dispatchEvent(new KeyboardEvent('keydown', {{ key }}));
    await painted();
    taken.push(performance.now() - begun);
  }}
  return taken;
}}"""
FILTER = f"""async text => {{
  {AFTER_PAINT}
  const input = document.querySelector('.search input');
  const begun = performance.now();
  input.value = text;
  input.dispatchEvent(new InputEvent('input', {{ bubbles: true }}));
  await painted();
  return performance.now() - begun;
}}"""
SEARCH = """async text => {
  const begun = performance.now();
  const response = await fetch('/api/runs/0/search?text=' + text);
  await response.json();
  return performance.now() - begun;
}"""


def played(number: int, member: int, draw: random.Random) -> Episode:
    """An episode of 5 to 15 turns with texts and tokens of a usual size."""

    def text(size: int) -> str:
        return " ".join(draw.choices(WORDS, k=size))

    turns = [
        replace(
            turn(text(3), "", num_tokens=16),
            text=text(12),
            prompt_ids=tuple(draw.choices(range(150_000), k=40)),
            observation=Observation(text=text(30), choices=tuple(text(3) for _ in range(10))),
        )
        for _ in range(draw.randint(5, 15))
    ]
    return replace(
        episode(turns, float(draw.randint(0, 1))),
        id=EpisodeId(step=0, group=number, member=member),
        task_id=f"gen1/train/{number:04}",
        advantages=tuple(draw.gauss(0, 1) for _ in turns),
    )


def write_big(folder: Path, files: int) -> Path:
    """A run of so many train steps, alike but for their number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    draw = random.Random(0)
    rows = [to_row(played(g, m, draw)) for g in range(GROUPS) for m in range(MEMBERS)]
    table = pa.Table.from_pylist(rows, schema=schema())
    place = table.schema.get_field_index("step")
    (folder / "episodes").mkdir(parents=True)
    for step in range(files):
        numbers = pa.array([step] * len(rows), pa.int32())
        path = folder / "episodes" / f"step-{step:06d}.parquet"
        renumbered = table.set_column(place, table.schema.field(place), numbers)
        pq.write_table(renumbered, path, compression="zstd", row_group_size=64)
        digest = f"{store.digest_of(path)}  {path.name}\n"
        path.with_suffix(".parquet.sha256").write_text(digest, encoding="utf-8")
    return folder


def wide_group(step: int) -> list[Group]:
    """16 members of 30 turns among states that they often share."""
    draw = random.Random(step)
    ways = (
        ", ".join(f"go {draw.randint(0, 3)}->place {k}.{draw.randint(0, 9)}" for k in range(30))
        for _ in range(16)
    )
    return [group(*(ended(way, float(draw.random() < 0.4)) for way in ways))]


@contextmanager
def launched() -> Iterator[Browser]:
    """The system's Chromium."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
        yield browser
        browser.close()


def best(measure: Callable[[], float]) -> float:
    """The least of a few tries."""
    return min(measure() for _ in range(TRIES))


def starting_s(folder: Path) -> float:
    """Seconds from the command to the page's first answer."""
    begun = time.perf_counter()
    with served(folder) as (port, _):
        assert ask(port, "/")[0] == 200
        return time.perf_counter() - begun


def opening_s(browser: Browser, address: str, ready: str) -> float:
    """Seconds from a fresh page's navigation to what is waited for."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    begun = time.perf_counter()
    page.goto(address)
    page.locator(ready).first.wait_for()
    seconds = time.perf_counter() - begun
    page.close()
    return seconds


def graph_s(browser: Browser, address: str) -> float:
    """Seconds from the key to the drawn graph of a group that is on screen."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(address)
    page.locator("[data-ready=turn]").wait_for()
    begun = time.perf_counter()
    page.keyboard.press("3")
    page.locator("[data-ready=graph]").wait_for()
    seconds = time.perf_counter() - begun
    page.close()
    return seconds


def percentile_95(values: list[float]) -> float:
    """The value that one in twenty is above."""
    return sorted(values)[int(0.95 * len(values))]


def peak_mb(process: int) -> float:
    """The most memory that a process ever had."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(match[1]) / 1000 if match else 0.0


def table_rows(page: Page, home: str) -> Iterator[Row]:
    """The table of a long run: filter and search."""
    begun = time.perf_counter()
    page.goto(home)
    page.get_by_text(f"{FILES * GROUPS * MEMBERS:,} episodes").wait_for(timeout=120_000)
    yield Row(what="the whole table is read", value=time.perf_counter() - begun, unit="s")
    filters = ("turns<9", "task:0012 -status:success", "advantage>0.2", "word", "")
    slowest = best(lambda: max(page.evaluate(FILTER, text) for text in filters))
    yield Row(what="filter, the slowest of 5", value=slowest, unit="ms", bar=200, better="lower")
    first = page.evaluate(SEARCH, "nothing") / 1000  # the only time that no text is in memory
    yield Row(what="search, the first", value=first, unit="s", bar=1.5, better="lower")
    for text in ("nowhere", "word77"):
        taken = best(lambda text=text: page.evaluate(SEARCH, text) / 1000)  # type: ignore[misc]
        what = f"search, text that is {'nowhere' if text == 'nowhere' else 'often there'}"
        yield Row(what=what, value=taken, unit="s", bar=1.5, better="lower")


def group_rows(page: Page, home: str) -> Iterator[Row]:
    """One group: stepping through it."""
    page.goto(f"{home}#/0/step-000003/3?view=turn")
    page.locator("[data-ready=turn]").wait_for()
    taken = best(lambda: percentile_95(page.evaluate(STEP_THROUGH, STEPS)))
    yield Row(what="step-through, p95", value=taken, unit="ms", bar=50, better="lower")


def measure() -> Iterator[Row]:
    """The rows of this benchmark."""
    static = Path(agentgym.viewer.__file__).parent / "static"
    bundle_kb = sum(len(gzip.compress(path.read_bytes())) for path in static.iterdir()) / 1000
    yield Row(what="bundle, gzipped", value=bundle_kb, unit="KB", bar=120, better="lower")
    with tempfile.TemporaryDirectory() as name, launched() as browser:
        folder = Path(name)
        (folder / "empty").mkdir()
        big = write_big(folder / "big", FILES)
        write_run(folder / "wide", wide_group)
        begun = best(lambda: starting_s(big))
        yield Row(what="starts", value=begun, unit="s", bar=1.5, better="lower")
        with served(folder / "empty") as (port, _):
            floor = best(lambda: opening_s(browser, f"http://127.0.0.1:{port}/", ".empty"))
        yield Row(what="page of an empty run (floor)", value=floor, unit="s")
        with served(big) as (port, process):
            home = f"http://127.0.0.1:{port}/"
            first = opening_s(
                browser, home, ".row.cursor"
            )  # the only time that nothing is read yet
            yield Row(what="first rows", value=first, unit="s", bar=2, better="lower")
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            yield from table_rows(page, home)
            yield from group_rows(page, home)
            yield Row(
                what="server's memory", value=peak_mb(process), unit="MB", bar=500, better="lower"
            )
        with served(folder / "wide") as (port, _):
            address = f"http://127.0.0.1:{port}/#/0/step-000000/0?view=turn"
            graph = best(lambda: graph_s(browser, address))
        yield Row(what="graph of 16 x 30 turns", value=graph, unit="s", bar=1, better="lower")
        yield from exported_rows(browser, folder)


def exported_rows(browser: Browser, folder: Path) -> Iterator[Row]:
    """One file with 1,024 episodes."""
    run = write_big(folder / "some", EXPORTED_FILES)
    file = folder / "run.html"
    begun = time.process_time()
    export(run, file, {})
    yield Row(what="export of 1,024 episodes", value=time.process_time() - begun, unit="s")
    yield Row(what="its size", value=file.stat().st_size / 1e6, unit="MB")
    loaded = best(lambda: opening_s(browser, file.as_uri(), ".row.cursor"))
    yield Row(what="it loads from disk", value=loaded, unit="s", bar=2, better="lower")


if __name__ == "__main__":
    main("viewer", measure)

"""Runs the benchmarks and writes one table: `python -m tests.benchmarks.bench [NAME...]`.

Each runs in a process of its own. `bench.json` has all rows, `bench.md` those that are ratios or
have a bar; both are written again after every benchmark. What takes more than a few minutes is left
out: `python -m tests.benchmarks.NAME PART...` runs such a part alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PARTS: Mapping[str, Sequence[str]] = {
    "alfworld": (),
    "credit": (),
    "gui": ("speed", "contexts", "shop"),
    "imports": (),
    "information_gain": (),
    "linearity": (),
    "pool": (),
    "rollout": ("tiny",),
    "sandbox": ("costs",),
    "search": (),
    "train_step": ("tiny",),
    "viewer": (),
    "webshop": (),
}
"""The benchmarks, and of each the parts that are run; none named: all of it."""


def run(name: str, python: str) -> dict[str, Any]:
    """What a benchmark found, or why it did not."""
    print(f"{name} ...", flush=True)
    began = time.monotonic()
    command = [python, "-m", f"tests.benchmarks.{name}", *PARTS[name], "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return {"name": name, "rows": [], "error": f"exit code {done.returncode}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {"seconds": time.monotonic() - began}


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """The rows with a bar, and all ratios, as Markdown."""
    lines = ["| benchmark | what | found | bar | |", "| --- | --- | ---: | ---: | --- |"]
    for result in results:
        if "error" in result:
            lines.append(f"| {result['name']} | {result['error']} | | | FAILED |")
        for row in result["rows"]:
            if row["bar"] is None and row["unit"] != "ratio":
                continue
            bar, verdict = "", ""
            if row["bar"] is not None:
                bar = f"{'>=' if row['better'] == 'higher' else '<='} {row['bar']:,g}"
                verdict = "ok" if row["ok"] else "MISSED"
            found = f"{row['value']:,.3g} {row['unit']}".strip()
            lines.append(f"| {result['name']} | {row['what']} | {found} | {bar} | {verdict} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run them, print the table, and fail if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--out", type=Path, default=Path(".cache"), help="where to write")
    parser.add_argument("--alfworld", default=sys.executable, help="a Python that has ALFWorld")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(PARTS))
    if unknown:
        parser.error(f"there is no benchmark '{unknown[0]}'; known: {', '.join(PARTS)}")
    results = []
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names or PARTS:
        results.append(run(name, options.alfworld if name == "alfworld" else sys.executable))
        (options.out / "bench.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
        (options.out / "bench.md").write_text(table(results), "utf-8")
    print(table(results), end="")
    sys.exit(any("error" in result for result in results))


if __name__ == "__main__":
    main()

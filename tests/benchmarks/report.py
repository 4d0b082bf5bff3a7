"""Prints a benchmark: rows against their bars, as a table or as one JSON line for machines.

`python -m tests.benchmarks.report FILE` makes such JSON a table for the README.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

WIDTH = 52
"""Of the column that says what was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured figure."""

    what: str
    value: float
    unit: str
    bar: float | None = None
    """The bound it must meet; None for a figure that is only reported."""
    better: Literal["lower", "higher"] = "higher"

    @property
    def ok(self) -> bool:
        """Whether the bar is met."""
        if self.bar is None:
            return True
        return self.value >= self.bar if self.better == "higher" else self.value <= self.bar


def as_table(rows: Iterable[Row]) -> str:
    """The rows as a table for the README."""
    lines = ["| what | measured | bar |", "| --- | --- | --- |"]
    for row in rows:
        bar = "" if row.bar is None else f"{_sign(row)} {row.bar:,g}"
        lines.append(f"| {row.what} | {row.value:,.4g} {row.unit} | {bar} |")
    return "\n".join(lines)


def _sign(row: Row) -> str:
    return ">=" if row.better == "higher" else "<="


def main(name: str, measure: Callable[..., Iterable[Row]], *, parts: Collection[str] = ()) -> None:
    """Measure, and print a table; with `--json`, the last line is the result as JSON.

    Args:
        parts: what may be asked for by name; `measure` takes the names, or none.
    """
    parser = argparse.ArgumentParser(prog=f"python -m tests.benchmarks.{name}")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    if parts:
        parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(parts))
    options = parser.parse_args()
    asked = getattr(options, "parts", [])
    if unknown := set(asked) - set(parts):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    show(name, measure(*asked), as_json=options.json)


def show(name: str, rows: Iterable[Row], *, as_json: bool) -> None:
    """Print each row when it is measured; as JSON one line at the end, and the rows to stderr."""
    found = []
    for row in rows:
        found.append(row)
        bar = "" if row.bar is None else f"{_sign(row)} {row.bar:,g} {'ok' if row.ok else 'MISSED'}"
        line = f"{row.what:<{WIDTH}}  {row.value:>12,.1f} {row.unit:<10} {bar}".rstrip()
        print(line, file=sys.stderr if as_json else sys.stdout, flush=True)
    if as_json:
        print(json.dumps({"name": name, "rows": [asdict(row) | {"ok": row.ok} for row in found]}))


if __name__ == "__main__":
    found = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    kept = [{name: row[name] for name in Row.__dataclass_fields__} for row in found["rows"]]
    print(as_table(Row(**row) for row in kept))

"""What `agentgym credit` and `agentgym graph` print: schemes on the same stored turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from agentgym import store
from agentgym.commands import print_json, show_table
from agentgym.errors import UsageError
from agentgym.replay import printable, replay_command
from agentgym.trainers import offline
from agentgym.trainers.credit.layout import NEGLIGIBLE, FloatArray
from agentgym.trainers.graph_data import Edge, GraphData, Node
from agentgym.trainers.offline import Comparison, Scheme

WIDTH, STATE_WIDTH = 40, 80
"""Characters of an action, and of a state, in a table."""
GRAPH_ROWS = 60
"""Nodes and edges to show; JSON has all."""
TOP = 10
"""Disagreements to show."""
Visited = TypeVar("Visited", Node, Edge)


def credit(
    folder: Path,
    *,
    name: str | None,
    compare: Sequence[str],
    settings: Sequence[str],
    step: int | None,
    as_json: bool,
) -> int:
    """Recompute credit on stored episodes and hold it against what the trainer used."""
    if compare and (name or settings):
        raise UsageError("--compare takes names alone; --set goes with --with")
    run = store.open(folder)
    recipe = offline.read_recipe(run)
    parsed = offline.parse_settings(settings)
    names = tuple(compare) or (name or recipe.credit.name,)
    schemes = [offline.make_scheme(recipe, each, parsed) for each in dict.fromkeys(names)]
    found = offline.compare(run, recipe, schemes, step)
    if as_json:
        print_json(_as_json(folder, found))
    else:
        _print(folder, found)
    return 0


def _figures(values: FloatArray, differences: FloatArray) -> dict[str, float]:
    """How a scheme's advantages are distributed, and how far from the trainer's they are."""
    return {
        "mean": float(values.mean()) if len(values) else 0.0,
        "std": float(values.std()) if len(values) else 0.0,
        "zero_turns": float((np.abs(values) <= NEGLIGIBLE).mean()) if len(values) else 0.0,
        "max_difference": float(differences.max(initial=0.0)),
        "mean_difference": float(differences.mean()) if len(values) else 0.0,
    }


def _as_json(folder: Path, found: Comparison) -> dict[str, Any]:
    names = found.names
    matrix = found.correlation()
    episodes: dict[tuple[int, int, int], dict[str, list[float]]] = {}
    for place, values in zip(found.places, found.values.T.tolist(), strict=True):
        row = episodes.setdefault((place.step, place.group, place.member), {n: [] for n in names})
        for name, value in zip(names, values, strict=True):
            row[name].append(value)
    return {
        "run": str(folder),
        "trained": {"name": found.used.name, "settings": dict(found.used.settings)}
        | _figures(found.trained, np.zeros_like(found.trained)),
        "schemes": [
            {"name": column.scheme.name, "settings": dict(column.scheme.settings)}
            | _figures(column.advantages, column.differences)
            | {"metrics": dict(column.metrics)}
            for column in found.columns
        ],
        "correlation": {
            name: dict(zip(names, row, strict=True))
            for name, row in zip(names, matrix, strict=True)
        },
        "disagreements": [
            {
                "turns": [[p.step, p.group, p.member, p.turn] for p in each.places],
                "action": each.places[0].action,
                "advantages": dict(zip(names, each.values, strict=True)),
                "spread": each.spread,
            }
            for each in found.disagreements(TOP)
        ],
        "episodes": [
            {"step": step, "group": group, "member": member, "advantages": row}
            for (step, group, member), row in episodes.items()
        ],
    }


def _print(folder: Path, found: Comparison) -> None:
    steps = sorted({place.step for place in found.places})
    span = f"train step {steps[0]}" if len(steps) == 1 else f"train steps {steps[0]} to {steps[-1]}"
    print(f"{span} of {folder}: {len(found.places):,} turns, trained with {_title(found.used)}\n")
    shown = [("trained", found.trained, np.zeros_like(found.trained))]
    shown += [(_title(c.scheme), c.advantages, c.differences) for c in found.columns]
    rows = []
    for title, values, differences in shown:
        figures = _figures(values, differences)
        difference = "" if title == "trained" else _exactly(figures["max_difference"])
        rows.append(
            (title, f"{figures['mean']:+.3f}", f"{figures['std']:.3f}",
             f"{figures['zero_turns']:.0%}", difference)
        )  # fmt: skip
    show_table(("scheme", "mean", "std", "turns at 0", "largest difference to trained"), rows)
    print()
    show_table(("metric, mean of steps", *(c.scheme.name for c in found.columns)), _metrics(found))
    if len(found.names) > 1:
        print("\ncorrelation over turns")
        show_table(("", *found.names), _correlation_rows(found))
        _print_disagreements(folder, found)


def _metrics(found: Comparison) -> list[tuple[str, ...]]:
    names = dict.fromkeys(name for column in found.columns for name in column.metrics)
    return [
        (name, *(f"{c.metrics[name]:.3g}" if name in c.metrics else "" for c in found.columns))
        for name in names
    ]


def _correlation_rows(found: Comparison) -> list[tuple[str, ...]]:
    return [
        (name, *("-" if value is None else f"{value:+.3f}" for value in row))
        for name, row in zip(found.names, found.correlation(), strict=True)
    ]


def _print_disagreements(folder: Path, found: Comparison) -> None:
    entries = found.disagreements(TOP)
    if not entries:
        print("\nthey agree on every turn, up to their unit")
        return
    print("\nwhere they disagree most, in units of each one's std")
    rows = []
    for each in entries:
        first, others = each.places[0], len(each.places) - 1
        where = f"{first.step}/{first.group}/{first.member}/{first.turn}"
        more = f" (and {others} more)" if others else ""
        numbers = (f"{value:+.3f}" for value in each.values)
        rows.append((where + more, _short(first.action), *numbers, f"{each.spread:.1f}"))
    show_table(("step/group/member/turn", "action", *found.names, "apart"), rows)
    first = entries[0].places[0]
    command = replay_command(folder, step=first.step, group=first.group, member=first.member)
    print(f"read it: {command}")


def _title(scheme: Scheme) -> str:
    settings = " ".join(f"{key}={value}" for key, value in scheme.settings.items())
    return f"{scheme.name} {settings}".strip()


def _exactly(difference: float) -> str:
    return "0" if difference == 0 else f"{difference:.3g}"


def graph(
    folder: Path,
    *,
    name: str | None,
    settings: Sequence[str],
    step: int | None,
    group: int,
    as_json: bool,
) -> int:
    """The graph that a scheme sees in one group."""
    run = store.open(folder)
    recipe = offline.read_recipe(run)
    parsed = offline.parse_settings(settings)
    scheme = offline.make_scheme(recipe, name or recipe.credit.name, parsed)
    number = offline.steps_of(run, step)[-1]
    data, metrics, task = offline.graph_of(run, recipe, scheme, number, group)
    if as_json:
        head = {"run": str(folder), "step": number, "group": group, "task_id": task}
        named = {"scheme": scheme.name, "settings": dict(scheme.settings), "metrics": metrics}
        print_json(head | named | asdict(data))
        return 0
    print(f"step {number}, group {group}, task {task}, as {_title(scheme)} sees it\n")
    _print_graph(data)
    noted = [(key, f"{value:.3g}") for key, value in metrics.items()]
    show_table(("metric of the step", ""), noted)
    return 0


def _print_graph(data: GraphData) -> None:
    show_table(
        ("node", "visits", "members", "score", "advantage", "state"),
        [
            (n.id, n.visits, n.num_members, _signed(n.score), _signed(n.mean_advantage),
             _short(n.key, STATE_WIDTH) if n.kind == "state" else n.kind.upper())
            for n in _most_visited(data.nodes)
        ],
    )  # fmt: skip
    print()
    show_table(
        ("edge", "visits", "advantage", "action", "member/turn"),
        [
            (f"{e.source} -> {e.target}", e.visits, _signed(e.mean_advantage),
             _short(e.action if e.action is not None else f"({e.invalid})"),
             _short(" ".join(f"{m}/{t}" for m, t in e.turns)))
            for e in _most_visited(data.edges)
        ],
    )  # fmt: skip
    left_out = max(0, len(data.nodes) - GRAPH_ROWS) + max(0, len(data.edges) - GRAPH_ROWS)
    if left_out:
        print(f"{left_out} less visited nodes and edges left out; --json has all")
    print()


def _most_visited(items: Sequence[Visited]) -> list[Visited]:
    return sorted(items, key=lambda item: (-item.visits, item.id))[:GRAPH_ROWS]


def _signed(value: float | None) -> str | None:
    return None if value is None else f"{value:+.3f}"


def _short(text: str, width: int = WIDTH) -> str:
    line = printable(text).replace("\n", " ")
    return line if len(line) <= width else line[: width - 3] + "..."

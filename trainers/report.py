"""The report of a run, from its own files: what it came to, how sure, and whether to trust it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from agentgym import store
from agentgym.panel import Panel
from agentgym.trainers import lost, report_text, run_folder
from agentgym.trainers.config import Recipe
from agentgym.trainers.evaluate import Figures, figures, gain
from agentgym.trainers.fidelity import Fidelity, FidelityError, measure_fidelity
from agentgym.trainers.lost import Fault


def write(folder: Path) -> dict[str, Any]:
    """Write `report.json`, `report.md` and `curve.png` of a finished run."""
    run = store.open(folder)
    recipe = run_folder.read_recipe(folder)
    panel = store.read_panel(folder / "panel-eval.parquet")
    last = recipe.train.steps
    results = {
        kind: (
            figures(run.groups(f"eval-000000-{kind}"), panel),
            figures(run.groups(f"eval-{last:06d}-{kind}"), panel),
        )
        for kind in ("sampled", "greedy")
    }
    rows = run.metrics()
    evaluations = [
        figures(run.groups(path.stem), panel)
        for path in run.files()
        if path.stem.startswith(("eval-", "control-"))
    ]
    fidelity = measure_fidelity(rows, evaluations)
    faults = lost.read_faults(run) if fidelity.num_lost else ()
    content = _content(recipe, panel, results, rows=rows, fidelity=fidelity)
    content["errors"] = [asdict(fault) for fault in faults]
    content["problems"] = _problems(folder, recipe, fidelity, faults)
    report_text.draw_curve(folder / "curve.png", rows, last=last)
    samples = run.groups(f"eval-{last:06d}-sampled")
    text = report_text.markdown(folder, recipe, content, samples=samples)
    store.write_text(folder / "report.md", text)
    # Last: it is what says that the run has ended.
    store.write_text(folder / "report.json", json.dumps(content, indent=1) + "\n")
    return content


def check(content: Mapping[str, Any]) -> None:
    """Hold a report against the thresholds that it was written with.

    Raises:
        FidelityError: one was passed.
    """
    if content["problems"]:
        raise FidelityError("; ".join(content["problems"]))


def _content(
    recipe: Recipe,
    panel: Panel,
    results: Mapping[str, tuple[Figures, Figures]],
    *,
    rows: Sequence[Mapping[str, Any]],
    fidelity: Fidelity,
) -> dict[str, Any]:
    """What `report.json` holds."""
    before, after = results["sampled"]
    difference, ci95 = gain(before, after)
    greedy_before, greedy_after = results["greedy"]
    greedy_difference, greedy_ci95 = gain(greedy_before, greedy_after)
    memory = [row["peak_rss_gb"] for row in rows if "peak_rss_gb" in row]
    return {
        "title": recipe.title,
        "env": recipe.env.id,
        "panel": {"name": panel.name, "hash": panel.hash, "tasks": len(panel)},
        "credit": recipe.credit.model_dump(),
        "before": before.summary(),
        "after": after.summary(),
        "gain": difference,
        "gain_ci95": ci95,
        "greedy": {
            "before": greedy_before.summary(),
            "after": greedy_after.summary(),
            "gain": greedy_difference,
            "gain_ci95": greedy_ci95,
        },
        "warm_start": next((r for r in rows if r.get("phase") == "warm_start"), None),
        "control": next((r for r in rows if r.get("phase") == "control"), None),
        "information_gain": gold_scores(rows),
        "seconds": seconds(rows),
        "speed": speed(rows),
        "peak_rss_gb": max(memory, default=0.0),
        "fidelity": asdict(fidelity),
    }


def _problems(
    folder: Path, recipe: Recipe, fidelity: Fidelity, faults: Sequence[Fault]
) -> list[str]:
    """What passed its threshold; behind lost episodes, what most of them met."""
    problems = fidelity.problems(recipe)
    if fidelity.loses_too_many(recipe.fidelity):
        problems[-1] += "".join(f", most often {fault.tell(folder)}" for fault in faults[:1])
    return problems


def seconds(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Wall-clock seconds by phase; `total` is that of the whole run, all that lies between too.

    A run that was killed has taken, up to there, what it took until the last row that was kept:
    what came after it ran again, and the time in which nothing ran is nobody's.
    """
    phases: dict[str, float] = {}
    for row in rows:
        if row.get("phase") == "seconds":
            for name, value in row.items():
                if name not in ("phase", "unix_seconds"):
                    phases[name] = phases.get(name, 0.0) + value
        elif row.get("phase") in ("eval", "save"):
            label = "evaluation" if row["phase"] == "eval" else "save"
            phases[label] = phases.get(label, 0.0) + row["seconds"]
        for name, value in row.items():
            if name.startswith("seconds/"):
                label = name.removeprefix("seconds/")
                phases[label] = phases.get(label, 0.0) + value
    stamped = [row for row in rows if "unix_seconds" in row]
    total = sum(
        row["unix_seconds"] - before["unix_seconds"]
        for before, row in pairwise(stamped)
        if row.get("phase") != "begin"
    )
    return phases | {"total": total}


def speed(rows: Sequence[Mapping[str, Any]]) -> dict[str, float] | None:
    """What the train steps sampled and played per second of theirs; None where there was none."""
    steps = [row for row in rows if "speed/turns_per_s" in row]
    taken = [sum(v for name, v in row.items() if name.startswith("seconds/")) for row in steps]
    if not sum(taken):
        return None
    return {
        name: sum(row[f"speed/{name}"] * s for row, s in zip(steps, taken, strict=True))
        / sum(taken)
        for name in ("tokens_per_s", "turns_per_s")
    }


def gold_scores(rows: Sequence[Mapping[str, Any]]) -> dict[str, float] | None:
    """How likely the right answer was at the start and once it had come into sight, in the same
    episodes: mean nats per token over the train steps that had some. None where no step had, or
    without the channel that measures it."""
    names = ("ell_start", "ell_gold")
    keys = [f"information_gain/{name}" for name in names]
    found = [[row[key] for key in keys] for row in rows if all(key in row for key in keys)]
    if not found:
        return None
    means = [fmean(column) for column in zip(*found, strict=True)]
    return dict(zip(names, means, strict=True))

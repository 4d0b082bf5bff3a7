"""The quickstart's study: one warm start, then SALT, GRPO and more imitation, three seeds each.

More imitation goes on for as long as RL took, on demonstrations drawn afresh with each seed, as
many as the warm start had. Once it also goes on with the warm start's own, since RL gets no new
demonstrations either.

Every run is evaluated on the same tasks, so the comparisons are paired by task; a task's success
is its mean over seeds and samples. The intervals are over tasks: three seeds are too few for an
interval over seeds, so each seed's figure is printed beside them.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agentgym import store
from agentgym.trainers import train
from agentgym.trainers.config import resolve
from agentgym.trainers.evaluate import figures, interval

SEEDS = (1, 2, 3)
SCHEMES = {
    "salt": {"name": "salt"},
    "grpo": {"name": "grpo"},  # SALT's base by itself
}


def by_task(folder: Path) -> dict[str, float]:
    """The mean success of each task in a run's last sampled evaluation."""
    run = store.open(folder)
    recipe = resolve(str(folder / "config.yaml"))
    panel = store.read_panel(folder / "panel-eval.parquet")
    groups = run.groups(f"eval-{recipe.train.steps:06d}-sampled")
    return dict(figures(groups, panel).by_task)


def play(folder: Path, recipe: str, **overrides: Any) -> Mapping[str, Any]:
    """A run's report; a run that is there already goes on or is kept."""
    result = train(recipe, out=folder, resume=True, **overrides)
    if result.report is None:
        raise SystemExit("stopped")
    return result.report


def study(out: Path, recipe: str, *, samples: int, **overrides: Any) -> dict[str, Any]:
    """All runs; the content of `study.json`."""
    common: dict[str, Any] = {"eval": {"samples": samples, "every": 0}}
    warm = play(out / "warm", recipe, **overrides, **common, train={"steps": 0})
    model = {"path": str(out / "warm" / "checkpoints" / "step-000000")}
    warm_seconds = warm["seconds"]["warm_start"]
    warm_updates = resolve(recipe).warm_start
    assert warm_updates is not None
    for seed in SEEDS:
        spent = []
        for scheme, credit in SCHEMES.items():
            report = play(
                out / f"{scheme}-{seed}",
                recipe,
                **overrides,
                **common,
                seed=seed,
                model=model,
                warm_start=None,
                title=f"Study: {scheme}",
                credit=credit,
            )
            seconds = report["seconds"]
            spent.append(sum(seconds[name] for name in ("rollout", "credit", "update")))
        updates = round(warm_updates.updates * float(np.mean(spent)) / warm_seconds)
        more = {"model": model, "warm_start": {"updates": updates}, "train": {"steps": 0}}
        play(out / f"control-{seed}", recipe, **overrides, **common, **more, seed=seed)
    # The warm start's seed draws the warm start's demonstrations.
    play(out / "same", recipe, **overrides, **common, **more)
    return summarize(out)


def summarize(out: Path) -> dict[str, Any]:
    """Success of every arm, and the paired differences between them."""
    base = by_task(out / "warm")
    arms: dict[str, list[dict[str, float]]] = {
        arm: [by_task(out / f"{arm}-{seed}") for seed in SEEDS]
        for arm in ("salt", "grpo", "control")
    }
    arms["warm start"] = [base]
    arms["same demos"] = [by_task(out / "same")]
    return {
        "success": {
            arm: {
                "mean": _mean([np.mean(list(run.values())) for run in runs]),
                "seeds": [float(np.mean(list(run.values()))) for run in runs],
            }
            for arm, runs in arms.items()
        },
        "differences": {
            f"{first} - {second}": _difference(arms[first], arms[second])
            for first, second in (
                ("salt", "warm start"),
                ("grpo", "warm start"),
                ("control", "warm start"),
                ("salt", "control"),
                ("grpo", "control"),
                ("salt", "same demos"),
                ("salt", "grpo"),
            )
        },
    }


def _mean(values: Sequence[Any]) -> float:
    return float(np.mean(values))


def _difference(
    first: Sequence[Mapping[str, float]], second: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    tasks = sorted(set.intersection(*(set(run) for run in [*first, *second])))
    gaps = [
        _mean([run[task] for run in first]) - _mean([run[task] for run in second])
        for task in tasks
    ]
    return {"mean": _mean(gaps), "ci95": interval(gaps), "tasks": len(tasks)}


def main() -> None:
    """Run the study, print it, and write `study.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/study"))
    parser.add_argument("--recipe", default="quickstart")
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--json", action="store_true", help="print study.json as the last line")
    options = parser.parse_args()
    if options.force:
        shutil.rmtree(options.out, ignore_errors=True)
    result = study(options.out, options.recipe, samples=options.samples)
    (options.out / "study.json").write_text(json.dumps(result, indent=1) + "\n")
    if options.json:
        print(json.dumps({"name": "study", **result}))
        return
    for arm, shares in result["success"].items():
        seeds = ", ".join(f"{share:.1%}" for share in shares["seeds"])
        print(f"{arm:>10}  {shares['mean']:.1%}  (seeds: {seeds})")
    for name, gap in result["differences"].items():
        low, high = gap["ci95"]
        print(f"{name:>22}  {100 * gap['mean']:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]")


if __name__ == "__main__":
    main()

"""Learning claims: from one warm start several arms and more imitation go on, three seeds each.

More imitation goes on for as long as RL took with the first seed, on demonstrations drawn afresh
with each seed, as many as the warm start had. Once it also goes on with the warm start's own, since
RL gets no new demonstrations either.

Every run is evaluated on the same tasks, so the comparisons are paired by task; a task's figure is
its mean over seeds and samples. The intervals are over tasks: three seeds are too few for an
interval over seeds, so each seed's figure is printed beside them.

A run that was stopped goes on, and one that is there is kept; so the studies of one warm start
share its runs.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentgym import store
from agentgym.trainers import train
from agentgym.trainers.config import resolve
from agentgym.trainers.evaluate import interval
from agentgym.trainers.step import PHASES
from agentgym.types import Group

SEEDS = (1, 2, 3)
RL = {
    "rollout": ("render", "prefill", "decode", "environment"),
    "credit": ("probe", "credit"),
    "update": ("forward", "backward", "optimizer"),
}
"""The parts of a train step, by the phases that it is measured by."""
CONTROL, SAME = "more imitation", "more imitation, same demonstrations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is compared."""

    recipe: str
    """Whose warm start it is, and with which imitation goes on."""
    arms: Mapping[str, str]
    """Credit scheme -> the recipe it trains by."""
    folder: str
    """Where it goes in `runs/`."""


STUDIES = {
    "quickstart": Study(
        recipe="quickstart",
        arms=dict.fromkeys(("salt", "grpo"), "quickstart"),
        folder="alfworld-study",
    ),
    "credit": Study(
        recipe="quickstart",
        arms=dict.fromkeys(("salt", "grpo", "gigpo", "graphgpo", "crbc"), "quickstart"),
        folder="alfworld-study",
    ),
    "search": Study(
        recipe="search-igpo-quick",
        arms={"igpo": "search-igpo-quick", "grpo": "search-grpo-quick"},
        folder="search-study",
    ),
    "webshop": Study(
        recipe="webshop-salt-quick",
        arms={"salt": "webshop-salt-quick", "grpo": "webshop-grpo-quick"},
        folder="webshop-study",
    ),
    "gui": Study(
        recipe="gui-salt-quick",
        arms=dict.fromkeys(("salt", "grpo"), "gui-salt-quick"),
        folder="gui-study",
    ),
}


def play(folder: Path, recipe: str, **overrides: Any) -> Mapping[str, Any]:
    """A run's report; a run that is there already goes on or is kept."""
    result = train(recipe, out=folder, resume=True, **overrides)
    if result.report is None:
        raise SystemExit("stopped")
    return result.report


def run(study: Study, out: Path, *, samples: int) -> dict[str, list[Path]]:
    """Play all that is missing; each arm's runs, by seed."""
    common: dict[str, Any] = {"eval": {"samples": samples, "every": 0}}
    warm = play(out / "warm", study.recipe, **common, train={"steps": 0})
    model = {"path": str(out / "warm" / "checkpoints" / "step-000000")}
    warm_start = resolve(study.recipe).warm_start
    assert warm_start is not None
    runs: dict[str, list[Path]] = {arm: [] for arm in ("warm start", *study.arms, CONTROL, SAME)}
    runs["warm start"].append(out / "warm")
    updates = None
    for seed in SEEDS:
        begin = {"seed": seed, "model": model}
        spent = []
        for arm, recipe in study.arms.items():
            folder = out / f"{arm}-{seed}"
            scheme = {"title": f"Study: {arm}", "credit": {"name": arm}, "warm_start": None}
            seconds = play(folder, recipe, **common, **begin, **scheme)["seconds"]
            spent.append(sum(seconds[name] for name in PHASES))
            runs[arm].append(folder)
        if updates is None:  # every seed does the same
            share = float(np.mean(spent)) / warm["seconds"]["warm_start"]
            updates = round(warm_start.updates * share)
        more = {"warm_start": {"updates": updates}, "train": {"steps": 0}}
        runs[CONTROL].append(out / f"control-{seed}")
        play(runs[CONTROL][-1], study.recipe, **common, **begin, **more)
    # The warm start's seed draws the warm start's demonstrations.
    play(out / "same", study.recipe, **common, model=model, **more)
    runs[SAME].append(out / "same")
    return runs


@dataclass(frozen=True, slots=True)
class Run:
    """What is known of a run."""

    by_task: Mapping[str, Mapping[str, float]]
    """`success`, `score` and `turns` of each task: means over its last evaluation's samples."""
    per_step: Mapping[str, float]
    """Means over the train steps: seconds of each phase, and `without_signal`, the share of groups
    with equal outcomes, and `still_learned`, the share of these with an advantage that is not 0."""


def read(folder: Path) -> Run:
    """The figures of a finished run."""
    run, recipe = store.open(folder), resolve(str(folder / "config.yaml"))
    by_task: dict[str, dict[str, float]] = {"success": {}, "score": {}, "turns": {}}
    for group in run.groups(f"eval-{recipe.train.steps:06d}-sampled"):
        if group.valid:
            values = [(float(bool(e.success)), e.score or 0.0, len(e.turns)) for e in group.valid]
            for name, value in zip(by_task, np.mean(values, axis=0), strict=True):
                by_task[name][group.task_id] = float(value)
    count: Counter[str] = Counter()
    for step in range(recipe.train.steps):
        for group in run.groups(f"step-{step:06d}"):
            count.update(signals(group))
    steps = [row for row in run.metrics() if "step" in row]
    per_step = {
        part: float(np.mean([sum(row[f"seconds/{name}"] for name in names) for row in steps]))
        for part, names in RL.items()
        if steps
    }
    if count["all"]:
        per_step["without_signal"] = count["without_signal"] / count["all"]
        per_step["still_learned"] = count["still_learned"] / max(count["without_signal"], 1)
    return Run(by_task, per_step)


def signals(group: Group) -> list[str]:
    """What a group counts as."""
    if len({episode.score for episode in group.valid}) > 1:
        return ["all"]
    learned = any(np.any(episode.advantages) for episode in group.valid if episode.advantages)
    return ["all", "without_signal", *(["still_learned"] if learned else [])]


def summarize(runs: Mapping[str, Sequence[Path]]) -> dict[str, Any]:
    """The figures of every arm, and the paired differences between them."""
    found = {arm: [read(folder) for folder in folders] for arm, folders in runs.items()}
    schemes = [arm for arm in found if arm not in ("warm start", CONTROL, SAME)]
    pairs = [(arm, "warm start") for arm in found if arm != "warm start"]
    pairs += [(arm, other) for arm in schemes for other in (CONTROL, SAME)]
    pairs += [(arm, "grpo") for arm in schemes if arm != "grpo"]
    return {
        "arms": {arm: summarize_arm(runs) for arm, runs in found.items()},
        "differences": {
            f"{first} - {second}": {
                what: difference(found[first], found[second], what) for what in ("success", "score")
            }
            for first, second in pairs
        },
    }


def summarize_arm(runs: Sequence[Run]) -> dict[str, Any]:
    """Means over tasks and seeds, each seed's success, and what a train step came to."""
    seeds = [{name: mean(tasks.values()) for name, tasks in run.by_task.items()} for run in runs]
    means = {name: mean(seed[name] for seed in seeds) for name in seeds[0]}
    steps = {name: mean(run.per_step[name] for run in runs) for name in runs[0].per_step}
    return {**means, "seeds": [seed["success"] for seed in seeds], "per_step": steps}


def difference(first: Sequence[Run], second: Sequence[Run], what: str) -> dict[str, Any]:
    """Of two arms' means, paired by task."""
    left, right = ([run.by_task[what] for run in runs] for runs in (first, second))
    tasks = sorted(set.intersection(*(set(run) for run in [*left, *right])))
    gaps = [mean(run[task] for run in left) - mean(run[task] for run in right) for task in tasks]
    return {"mean": mean(gaps), "ci95": interval(gaps), "tasks": len(tasks)}


def mean(values: Any) -> float:
    """Of anything that can be iterated over."""
    return float(np.mean(list(values)))


def show(result: Mapping[str, Any]) -> None:
    """The tables of the README."""
    print("| arm | success | seeds | score | turns | seconds a step | equal outcomes | learned |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for arm, row in result["arms"].items():
        seeds = ", ".join(f"{100 * share:.1f}" for share in row["seeds"])
        step = row["per_step"]
        cells = [arm, f"{row['success']:.1%}", seeds, f"{row['score']:.3f}", f"{row['turns']:.1f}"]
        if step:
            cells.append(" + ".join(f"{step[name]:.2f}" for name in RL))
            cells += [f"{step['without_signal']:.0%}", f"{step['still_learned']:.0%}"]
        print("| " + " | ".join([*cells, *[""] * (8 - len(cells))]) + " |")
    print()
    print("| difference, paired by task | success | score |")
    print("| --- | --- | --- |")
    for name, row in result["differences"].items():
        cells = [
            f"{100 * row[what]['mean']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
            for what in ("success", "score")
            for low, high in [row[what]["ci95"]]
        ]
        print("| " + " | ".join([name, *cells]) + " |")


def main() -> None:
    """Run a study, print it, and write `NAME.json` into its folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(STUDIES))
    parser.add_argument("--out", type=Path, help="default: runs/ and the study's folder")
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--json", action="store_true", help="print the result as the last line")
    options = parser.parse_args()
    study = STUDIES[options.name]
    out = options.out or Path("runs") / study.folder
    if options.force:
        shutil.rmtree(out, ignore_errors=True)
    result = {"name": options.name, **summarize(run(study, out, samples=options.samples))}
    (out / f"{options.name}.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result)) if options.json else show(result)


if __name__ == "__main__":
    main()

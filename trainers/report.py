"""The report of a run, from its own files: what it came to, how sure, and whether to trust it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from agentgym import store
from agentgym.env import env_class
from agentgym.errors import AgentGymError
from agentgym.panel import Panel
from agentgym.replay import episode_text
from agentgym.trainers import config
from agentgym.trainers.config import Recipe
from agentgym.trainers.evaluate import Figures, figures, gain
from agentgym.types import Episode, Group, Status


class FidelityError(AgentGymError):
    """A threshold of the fidelity report was passed: the run's numbers are not to be trusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """Whether what was trained is what was sampled, over all train steps of a run."""

    tokens_sampled: int
    tokens_trained: int
    tokens_masked: int
    """Sampled by valid episodes, not trained: cut turns, and groups without any advantage."""
    tokens_reencoded: int
    """Trained ids that differ from the ids that the engine sampled."""
    prefix_breaks: int
    turns_truncated: int
    max_logprob_gap: float
    """Largest |sampling-time - train-time logprob|, in nats."""
    mean_logprob_gap: float
    """Its mean over trained tokens."""
    far_ratios: float
    """Share of trained tokens whose two probabilities have a ratio outside [0.8, 1.2]."""
    infra_errors: int
    score_errors: int
    groups: int
    groups_dropped_alike: int
    """Left out of the update, although two members are valid: no turn got an advantage, or dynamic
    sampling found all scores equal."""
    groups_dropped_small: int
    """Left out of the update, as errors of ours left fewer than two members to compare."""
    episodes: int
    evaluation_errors: int
    """Episodes of the evaluations lost to errors of ours; they are in no figure."""
    evaluation_episodes: int

    def problems(self, recipe: Recipe) -> list[str]:
        """What passed its threshold."""
        limits = recipe.fidelity
        errors = (self.infra_errors + self.score_errors) / max(1, self.episodes)
        found = []
        if self.tokens_reencoded:
            found.append(f"{self.tokens_reencoded} trained tokens are not the sampled ones")
        found += self._gap_problems(recipe)
        if errors > limits.max_infra_errors:
            found.append(f"{errors:.1%} of the episodes were lost to errors of ours")
        lost = self.evaluation_errors / max(1, self.evaluation_episodes)
        if lost > limits.max_infra_errors:
            found.append(f"{lost:.1%} of the evaluated episodes were lost to errors of ours")
        return found

    def _gap_problems(self, recipe: Recipe) -> list[str]:
        limits, found = recipe.fidelity, []
        if recipe.model.dtype == "float32":
            gap, limit, what = self.max_logprob_gap, limits.max_logprob_gap, ""
        else:
            gap, limit, what = self.mean_logprob_gap, limits.max_mean_logprob_gap, " on average"
            if self.far_ratios > limits.max_far_ratios:
                found.append(
                    f"{self.far_ratios:.1%} of the trained tokens are above 1.2 or below 0.8 times "
                    f"as likely as when sampled, allowed are {limits.max_far_ratios:.1%}"
                )
        if gap > limit:
            found.append(
                f"sampling-time and train-time logprobs differ by {gap:.2e}{what}, "
                f"allowed are {limit:.0e}"
            )
        return found


def write(folder: Path) -> dict[str, Any]:
    """Write `report.json`, `report.md` and `curve.png` of a finished run."""
    run = store.open(folder)
    recipe = config.validate(config.read_recipe(str(folder / "config.yaml")))
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
    fidelity = measure_fidelity(rows, [pair for pairs in results.values() for pair in pairs])
    content = _content(recipe, panel, results, rows=rows, fidelity=fidelity)
    draw_curve(folder / "curve.png", rows)
    samples = run.groups(f"eval-{last:06d}-sampled")
    text = _markdown(folder, recipe, content, results, samples=samples)
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


def measure_fidelity(rows: Sequence[Mapping[str, Any]], evaluations: Sequence[Figures]) -> Fidelity:
    """Sum up the train steps' metrics and the evaluations' losses."""
    lost = sum(result.num_errors for result in evaluations)
    steps = [row for row in rows if "step" in row]

    def total(name: str) -> int:
        return round(float(sum(row.get(name, 0.0) for row in steps)))

    def by_token(name: str) -> float:
        """The mean over all trained tokens of the run."""
        summed = sum(row.get(name, 0.0) * row["tokens/trained"] for row in steps)
        return float(summed / max(1, trained))

    sampled, trained = total("tokens/sampled"), total("tokens/trained")
    small = total("groups/dropped_without_two_valid")
    return Fidelity(
        tokens_sampled=sampled,
        tokens_trained=trained,
        tokens_masked=sampled - trained,
        tokens_reencoded=total("tokens/reencoded"),
        prefix_breaks=total("segments/breaks"),
        turns_truncated=total("turns/num_cut"),
        max_logprob_gap=max((row.get("logprob_gap", 0.0) for row in steps), default=0.0),
        mean_logprob_gap=by_token("logprob_gap_mean"),
        far_ratios=by_token("ratios_far"),
        infra_errors=total(f"status/{Status.INFRA_ERROR}"),
        score_errors=total(f"status/{Status.SCORE_ERROR}"),
        groups=total("groups/all"),
        groups_dropped_alike=total("groups/dropped") - small,
        groups_dropped_small=small,
        episodes=sum(total(f"status/{status}") for status in Status),
        evaluation_errors=lost,
        evaluation_episodes=lost + sum(result.episodes for result in evaluations),
    )


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
        "peak_rss_gb": max(memory, default=0.0),
        "fidelity": asdict(fidelity),
        "problems": fidelity.problems(recipe),
    }


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
        elif row.get("phase") == "eval":
            phases["evaluation"] = phases.get("evaluation", 0.0) + row["seconds"]
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


def draw_curve(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """The learning curve as a picture: success of each step's own episodes, and evaluations."""
    from matplotlib.figure import Figure

    steps = [(row["step"], row["success"]) for row in rows if "step" in row]
    evals = [(row["at"], row["sampled"]) for row in rows if row.get("phase") == "eval"]
    figure = Figure(figsize=(7, 3.6), dpi=130, layout="constrained")
    axes = figure.subplots()
    if steps:
        axes.plot(*zip(*steps, strict=True), color="#9aa5b1", linewidth=1.2, label="train groups")
    if evals:
        axes.plot(*zip(*evals, strict=True), color="#0b6e99", marker="o", label="held-out, sampled")
    axes.set(xlabel="train step", ylabel="success", ylim=(0, 1))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e4e7eb")
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(path)


def _markdown(
    folder: Path,
    recipe: Recipe,
    content: Mapping[str, Any],
    results: Mapping[str, tuple[Figures, Figures]],
    *,
    samples: Sequence[Group],
) -> str:
    panel = content["panel"]
    remark = ""
    if panel["name"].startswith("gen"):
        remark = f" ({env_class(recipe.env.id).generated})"
    parts = [
        f"# {recipe.title or recipe.env.id}",
        f"`{recipe.env.id}`, panel `{panel['name']}` {panel['hash']}, {panel['tasks']} tasks"
        f"{remark}. Credit: {recipe.credit.name}. Seed {recipe.seed}.",
        "\n".join(f"**Do not trust this run: {problem}.**" for problem in content["problems"]),
        _success_table(results),
        "![learning curve](curve.png)",
        _warm_start_text(content["warm_start"]),
        _control_text(content["control"]),
        _gold_scores_text(content["information_gain"]),
        "## Seconds\n\n" + _table(("phase", "seconds"), _rounded(content["seconds"])),
        "## Fidelity\n\n" + _table(("what", "value"), list(content["fidelity"].items())),
        "## Three episodes",
        *(_episode_block(folder, recipe.train.steps, episode) for episode in _pick(samples)),
        f"A table of all: `agentgym episodes {shlex.quote(str(folder))}`",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _episode_block(folder: Path, step: int, episode: Episode) -> str:
    """One episode to read, and the command that opens it."""
    where = f"--group {episode.id.group} --member {episode.id.member}"
    command = f"agentgym replay {shlex.quote(str(folder))} --file eval-{step:06d}-sampled {where}"
    return f"`{command}`\n\n```\n{episode_text(episode)}\n```"


def _success_table(results: Mapping[str, tuple[Figures, Figures]]) -> str:
    rows: list[tuple[Any, ...]] = []
    for kind, (before, after) in results.items():
        difference, ci95 = gain(before, after)
        rows.append((f"**{kind}**", _share(before), _share(after), _points(difference, ci95)))
    before, after = results["sampled"]
    for name in sorted(before.by_type.keys() & after.by_type.keys()):
        change = after.by_type[name] - before.by_type[name]
        points = f"{100 * change:+.1f} points"
        cells = (f"{before.by_type[name]:.1%}", f"{after.by_type[name]:.1%}", points)
        rows.append((f"sampled, {name}", *cells))
    note = (
        "Success with 95 % bootstrap intervals over tasks; the change is paired by task. "
        f"Sampled: temperature 1, {results['sampled'][0].episodes} episodes; greedy: one a task."
    )
    return _table(("success", "before RL", "after RL", "change"), rows) + "\n\n" + note


def _share(result: Figures) -> str:
    low, high = result.ci95
    return f"{result.success:.1%} [{low:.1%}, {high:.1%}]"


def _points(difference: float, ci95: tuple[float, float]) -> str:
    return f"{100 * difference:+.1f} points [{100 * ci95[0]:+.1f}, {100 * ci95[1]:+.1f}]"


def _warm_start_text(record: Mapping[str, Any] | None) -> str:
    if record is None:
        return ""
    curve = [
        (point["update"], _loss(point["train_loss"]), _loss(point["held_out_loss"]))
        for point in record["curve"]
    ]
    return (
        f"## Warm start\n\n{_demonstrations(record)}, "
        f"{record['mistakes']:.0%} of the turns replaced by mistakes that are not imitated, "
        f"{record['updates']} updates, {record['tokens_per_episode']:.0f} tokens an episode. "
        "Losses in nats per token.\n\n"
        + _table(("update", "training loss", "held-out loss (actions)"), curve)
    )


def _demonstrations(record: Mapping[str, Any]) -> str:
    failed = record["failed"]
    lost = f" ({failed} more were lost to errors of the environment)" if failed else ""
    return f"{record['demonstrations']} demonstrations{lost}"


def _loss(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _control_text(record: Mapping[str, Any] | None) -> str:
    if record is None:
        return ""
    return (
        "## Control\n\nThe same warm start, imitation going on for the same seconds "
        f"({record['seconds']:.0f}) instead of RL, on {_demonstrations(record)}: success "
        f"{record['success']:.1%} sampled; RL minus control "
        f"{_points(record['gain'], record['gain_ci95'])}."
    )


def _gold_scores_text(scores: Mapping[str, float] | None) -> str:
    if scores is None:
        return ""
    return (
        "## Information gain\n\nThe right answer's mean token logprob, in the episodes that came "
        f"to read it: {scores['ell_start']:.3f} before the first turn, {scores['ell_gold']:.3f} "
        "after the first observation that shows it. That must be higher; else the channel scores "
        "noise."
    )


def _pick(groups: Sequence[Group]) -> list[Episode]:
    """Up to three episodes to read: a success, a failure, and the longest of the rest."""
    valid = [episode for group in groups for episode in group.valid]
    won = [episode for episode in valid if episode.success][:1]
    lost = [episode for episode in valid if not episode.success][:1]
    rest = sorted(
        (e for e in valid if e not in won + lost), key=lambda e: len(e.turns), reverse=True
    )
    return won + lost + rest[: 3 - len(won) - len(lost)]


def _rounded(values: Mapping[str, float]) -> list[tuple[str, str]]:
    return [(name, f"{value:.1f}") for name, value in values.items()]


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)

"""A run's report to read: tables, the learning curve, a few episodes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agentgym.engine import Sampler
from agentgym.env import env_class
from agentgym.replay import episode_text, replay_command
from agentgym.trainers.config import Recipe
from agentgym.trainers.warm_start import WarmStartRecord
from agentgym.types import Episode, Group

NONE = "-"
"""Stands where there is no figure."""


def headline(content: Mapping[str, Any]) -> str:
    """What a run came to, in a line or two."""
    before, after = content["before"]["success"], content["after"]["success"]
    if before is None or after is None:
        when = "before RL" if before is None else "after RL"
        return f"no success to report: not one episode {when} was valid"
    lines = [
        f"success {before:.1%} before RL, {after:.1%} after: "
        f"{_points(content['gain'], content['gain_ci95'])}"
    ]
    if (control := content["control"]) is not None:
        lines.append(
            f"control {_percent(control['success'])}, imitation going on for as long; RL less "
            f"control: {_points(control['gain'], control['gain_ci95'])}"
        )
    return "\n".join(lines)


def markdown(
    folder: Path, recipe: Recipe, content: Mapping[str, Any], *, samples: Sequence[Group]
) -> str:
    """The report as Markdown.

    Args:
        samples: the sampled episodes of the last evaluation.
    """
    panel = content["panel"]
    remark = ""
    if panel["name"].startswith("gen"):
        remark = f" ({env_class(recipe.env.id).generated})"
    parts = [
        f"# {recipe.title or recipe.env.id}",
        f"`{recipe.env.id}`, panel `{panel['name']}` {panel['hash']}, {panel['tasks']} tasks"
        f"{remark}. Credit: {recipe.credit.name}. Seed {recipe.seed}.",
        "\n".join(f"**Do not trust this run: {problem}.**" for problem in content["problems"]),
        _success_table(content, recipe.sampler),
        "![learning curve](curve.png)",
        _warm_start_text(content["warm_start"]),
        _control_text(content["control"]),
        _gold_scores_text(content["information_gain"]),
        _seconds_text(content),
        "## Fidelity\n\n" + _table(("what", "found", "allowed"), _fidelity_rows(content, recipe)),
        _errors_text(folder, content["errors"]),
        "## Three episodes",
        *(_episode_block(folder, recipe.train.steps, episode) for episode in _pick(samples)),
        f"A table of all: `agentgym episodes {shlex.quote(str(folder))}`",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _success_table(content: Mapping[str, Any], sampler: Sampler) -> str:
    before, after, greedy = content["before"], content["after"], content["greedy"]
    control = content["control"]
    rows = [
        ["**sampled**", *map(_share, (before, after)), _points_of(content)],
        ["**greedy**", *map(_share, (greedy["before"], greedy["after"])), _points_of(greedy)],
    ]
    if control is not None:
        rows[0] += [_share(control), _points_of(control)]
        rows[1] += [NONE, NONE]
    types = before["by_type"].keys() | after["by_type"].keys()
    for name in sorted(types) if len(types) > 1 else ():  # one type alone is all there is
        row = [f"sampled, {name}", *_type_cells(before, after, name)]
        if control is not None:
            row += [_type_cells(control, after, name)[i] for i in (0, 2)]
        rows.append(row)
    head = ["success", "before RL", "after RL", "change"]
    if control is not None:
        head += ["control", "RL less control"]
    note = (
        "Success with 95 % bootstrap intervals over tasks; the change is paired by task. "
        f"Sampled: {_how(sampler)}, {before['episodes']} episodes; greedy: one a task."
    )
    return _table(head, rows) + "\n\n" + note


def _how(sampler: Sampler) -> str:
    """How tokens were drawn.

    >>> _how(Sampler()), _how(Sampler(temperature=0.7, top_p=0.9))
    ('temperature 1', 'temperature 0.7, top_p 0.9')
    """
    told = {"temperature": sampler.temperature} | sampler.model_dump(exclude_defaults=True)
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in told.items()
    )


def _type_cells(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> list[str]:
    """Success of one type of tasks before and after, and the change."""
    old, new = (figures["by_type"].get(name) for figures in (before, after))
    change = NONE if old is None or new is None else f"{100 * (new - old):+.1f} points"
    return [_percent(old), _percent(new), change]


def _percent(share: float | None) -> str:
    return NONE if share is None else f"{share:.1%}"


def _share(figures: Mapping[str, Any]) -> str:
    if figures["success"] is None:
        return NONE
    low, high = figures["ci95"]
    return f"{figures['success']:.1%} [{low:.1%}, {high:.1%}]"


def _points_of(part: Mapping[str, Any]) -> str:
    return _points(part["gain"], part["gain_ci95"])


def _points(difference: float | None, ci95: Sequence[float] | None) -> str:
    if difference is None or ci95 is None:
        return NONE
    return f"{100 * difference:+.1f} points [{100 * ci95[0]:+.1f}, {100 * ci95[1]:+.1f}]"


def draw_curve(path: Path, rows: Sequence[Mapping[str, Any]], *, last: int) -> None:
    """The learning curve as a picture: success of each step's own episodes, evaluations, control.

    Args:
        last: the train steps of the run, behind which its control is drawn.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    steps = [(row["step"], row["success"]) for row in rows if "step" in row]
    evals = [(row["at"], row["sampled"]) for row in rows if row.get("phase") == "eval"]
    control = [(last, row["success"]) for row in rows if row.get("phase") == "control"]
    figure = Figure(figsize=(7, 3.6), dpi=130, layout="constrained")
    axes = figure.subplots()
    for points, style, label in (
        (steps, {"color": "#9aa5b1", "linewidth": 1.2}, "training tasks, as they are played"),
        (evals, {"color": "#0b6e99", "marker": "o"}, "held-out tasks, sampled"),
        (control, {"color": "#b4531f", "marker": "D", "linestyle": ""}, "control, held-out"),
    ):
        shown = [point for point in points if point[1] is not None]
        if shown:
            axes.plot(*zip(*shown, strict=True), label=label, clip_on=False, **style)
    axes.set(xlabel="train step", ylabel="success", xlim=(0, max(last, 1)), ylim=(0, 1))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e4e7eb")
    if axes.lines:
        figure.legend(loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path)


def _warm_start_text(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return ""
    record = WarmStartRecord.of(row)
    curve = [
        (point.update, _loss(point.train_loss), _loss(point.held_out_loss))
        for point in record.curve
    ]
    return (
        f"## Warm start\n\n{record.what_was_shown()}, {record.what_went_wrong()}, "
        f"{record.updates} updates, {record.tokens_per_episode:.0f} tokens an episode. "
        "Losses in nats per token.\n\n"
        + _table(("update", "training loss", "held-out loss (actions)"), curve)
    )


def _loss(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"


def _control_text(record: Mapping[str, Any] | None) -> str:
    if record is None:
        return ""
    return (
        "## Control\n\nThe same warm start, imitation going on for the same seconds "
        f"({record['seconds']:.0f}) instead of RL, on "
        f"{WarmStartRecord.of(record).what_was_shown()}: success "
        f"{_percent(record['success'])} sampled; RL less control {_points_of(record)}."
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


def _seconds_text(content: Mapping[str, Any]) -> str:
    seconds, speed = content["seconds"], content["speed"]
    rows = [
        (name.replace("_", " "), f"{value:.1f}", f"{value / max(seconds['total'], 1e-9):.1%}")
        for name, value in seconds.items()
    ]
    text = "## Seconds\n\n" + _table(("phase", "seconds", "share"), rows)
    if speed is not None:
        text += (
            f"\n\nTrain steps: {speed['tokens_per_s']:,.0f} sampled tokens and "
            f"{speed['turns_per_s']:,.1f} turns per second; peak memory "
            f"{content['peak_rss_gb']:.2f} GB."
        )
    return text


def _fidelity_rows(content: Mapping[str, Any], recipe: Recipe) -> list[tuple[str, ...]]:
    """What is counted, how much of it was found, and how much may be."""
    found, limits = content["fidelity"], recipe.fidelity
    errors = f"at most {limits.max_infra_errors:.1%}"

    def count(name: str) -> str:
        return f"{found[name]:,}"

    def of(part: int, whole: int) -> str:
        return f"{part:,} of {whole:,} ({part / max(1, whole):.1%})"

    return [
        ("tokens sampled", count("tokens_sampled"), ""),
        ("tokens trained", count("tokens_trained"), ""),
        ("tokens not trained: cut turns, groups without credit", count("tokens_masked"), ""),
        ("trained tokens that are not the sampled ones", count("tokens_reencoded"), "none"),
        *_gap_rows(found, recipe),
        (
            "train episodes lost to errors of ours",
            of(found["infra_errors"] + found["score_errors"], found["episodes"]),
            errors,
        ),
        ("of these, lost in grading", count("score_errors"), ""),
        (
            "evaluation episodes lost to errors of ours",
            of(found["evaluation_errors"], found["evaluation_episodes"]),
            errors,
        ),
        ("turns cut by the token limit", count("turns_truncated"), ""),
        ("prompts that did not continue the one before", count("prefix_breaks"), ""),
        ("groups", count("groups"), ""),
        ("groups left out: no turn has an advantage", count("groups_dropped_alike"), ""),
        ("groups left out: fewer than two valid episodes", count("groups_dropped_small"), ""),
    ]


def _gap_rows(found: Mapping[str, Any], recipe: Recipe) -> list[tuple[str, ...]]:
    """How far sampling and training are apart; which of it has a limit depends on the dtype."""
    limits, exact = recipe.fidelity, recipe.model.dtype == "float32"

    def at_most(limit: str, holds: bool) -> str:
        return f"at most {limit}" if holds else ""

    return [
        (
            "largest gap between sampling-time and train-time logprobs, nats",
            _decimal(found["max_logprob_gap"]),
            at_most(_decimal(limits.max_logprob_gap), exact),
        ),
        (
            "its mean over trained tokens",
            _decimal(found["mean_logprob_gap"]),
            at_most(_decimal(limits.max_mean_logprob_gap), not exact),
        ),
        (
            "trained tokens above 1.2 or below 0.8 times as likely as when sampled",
            f"{found['far_ratios']:.1%}",
            at_most(f"{limits.max_far_ratios:.1%}", not exact),
        ),
    ]


def _decimal(value: float) -> str:
    """Two digits that count, without an exponent.

    >>> _decimal(3.4123e-05), _decimal(0.001), _decimal(0.0)
    ('0.000034', '0.001', '0')
    """
    return np.format_float_positional(value, precision=2, fractional=False, trim="-")


def _errors_text(folder: Path, faults: Sequence[Mapping[str, Any]]) -> str:
    """What episodes were lost to, and where to read one."""
    if not faults:
        return ""
    rows = [
        (
            f["episodes"],
            f["message"].replace("|", "\\|"),
            f"`{replay_command(folder, file=f['file'], group=f['group'], member=f['member'])}`",
        )
        for f in faults
    ]
    return "## Errors\n\n" + _table(("episodes", "lost to", "read one"), rows)


def _episode_block(folder: Path, step: int, episode: Episode) -> str:
    """One episode to read, and the command that opens it."""
    where, file = episode.id, f"eval-{step:06d}-sampled"
    command = replay_command(folder, file=file, group=where.group, member=where.member)
    return f"`{command}`\n\n```\n{episode_text(episode)}\n```"


def _pick(groups: Sequence[Group]) -> list[Episode]:
    """Up to three episodes to read: a success, a failure, and the longest of the rest."""
    valid = [episode for group in groups for episode in group.valid]
    won = [episode for episode in valid if episode.success][:1]
    lost = [episode for episode in valid if not episode.success][:1]
    rest = sorted(
        (e for e in valid if e not in won + lost), key=lambda e: len(e.turns), reverse=True
    )
    return won + lost + rest[: 3 - len(won) - len(lost)]


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)

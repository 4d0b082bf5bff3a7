"""The report: its keys, its words, and when it says that a run is not to be trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from scored import episode, group, turn
from small_runs import small_recipe

from agentgym import store
from agentgym.env import env_class
from agentgym.trainers import config, report
from agentgym.trainers.config import Recipe
from agentgym.trainers.fidelity import Fidelity, FidelityError, measure_fidelity
from agentgym.trainers.report_text import draw_curve, headline
from agentgym.types import EpisodeId, ErrorInfo, Group, Status

PANEL = env_class("agentgym/Corridor-v0").panel("gen1/unseen").head(6)


def groups_of(step: int, scores: Sequence[Sequence[float | None]]) -> list[Group]:
    """An evaluation: a task a row."""
    groups = []
    for number, (task, row) in enumerate(zip(PANEL.tasks, scores, strict=True)):
        members = [
            replace(
                episode([turn("east", "a"), turn(None, "b")], score),
                success=None if score is None else score == 1,
                task_id=task.id,
            )
            for score in row
        ]
        found = [
            replace(m, id=EpisodeId(step=step, group=number, member=i))
            for i, m in enumerate(group(*members).episodes)
        ]
        groups.append(Group(task_id=task.id, episodes=tuple(found)))
    return groups


STEP_ROW: dict[str, Any] = {
    "success": 0.5,
    "tokens/sampled": 100.0,
    "tokens/trained": 60.0,
    "tokens/reencoded": 0.0,
    "segments/breaks": 1.0,
    "turns/num_cut": 2.0,
    "logprob_gap": 1e-6,
    "logprob_gap_mean": 1e-7,
    "ratios_far": 0.0,
    "groups/all": 4.0,
    "groups/dropped": 1.0,
    "groups/dropped_without_two_valid": 0.0,
    "status/success": 8.0,
    "status/failure": 8.0,
    "status/infra_error": 0.0,
    "status/score_error": 0.0,
    "seconds/decode": 2.0,
    "seconds/credit": 0.5,
    "seconds/backward": 1.5,
    "speed/tokens_per_s": 50.0,
    "speed/turns_per_s": 7.5,
}
WARM_START: dict[str, Any] = {
    "phase": "warm_start",
    "demonstrations": 94,
    "played": 94,
    "lost": 0,
    "late": 0,
    "failed": 0,
    "mistakes": 0.28,
    "mistakes_asked": 0.3,
    "updates": 40,
    "tokens_per_episode": 51.7,
    "curve": [{"update": 40, "train_loss": 1.25, "held_out_loss": 1.5}],
}
ROWS: tuple[dict[str, Any], ...] = (
    {"phase": "begin", "unix_seconds": 1000.0},
    WARM_START,
    {"phase": "seconds", "warm_start": 7.0},
    {"phase": "eval", "at": 0, "sampled": 0.25, "greedy": 0.5, "seconds": 3.0},
    *({"step": step, **STEP_ROW} for step in range(4)),
    {"phase": "save", "at": 4, "seconds": 0.25},
    {"phase": "eval", "at": 4, "sampled": 0.75, "greedy": 0.5, "seconds": 3.5},
    {"phase": "memory", "peak_rss_gb": 1.25},
    {"phase": "end", "unix_seconds": 1100.0},
)
Scores = list[list[float | None]]
BEFORE: Scores = [[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, None]]
AFTER: Scores = [[1.0, 1.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [1.0, 1.0], [0.0, 1.0]]


def run_folder(
    folder: Path, *, rows: Sequence[Mapping[str, Any]] = ROWS, recipe: Recipe | None = None
) -> Path:
    """The files of a finished run of four steps."""
    recipe = recipe or small_recipe("tiny", warm_start={"updates": 40}, eval={"tasks": 6})
    store.write_text(folder / "config.yaml", config.dump(recipe))
    store.write_panel(folder / "panel-eval.parquet", PANEL)
    for step, scores in ((0, BEFORE), (4, AFTER)):
        for kind, size in (("sampled", 2), ("greedy", 1)):
            groups = groups_of(step, [row[:size] for row in scores])
            path = folder / "episodes" / f"eval-{step:06d}-{kind}.parquet"
            store.write_episodes(path, (e for g in groups for e in g.episodes))
    lines = [json.dumps(row) + "\n" for row in rows]
    store.write_text(folder / "metrics.jsonl", "".join(lines))
    return folder


def test_what_the_warm_start_lost_and_did_not_measure_is_said(tmp_path: Path) -> None:
    unmeasured = {"update": 40, "train_loss": 1.25, "held_out_loss": None}
    dropped = {"played": 104, "failed": 3, "late": 5, "lost": 2}
    record = {**WARM_START, **dropped, "mistakes": 0.0, "curve": [unmeasured]}
    report.write(run_folder(tmp_path, rows=(record, *ROWS[1:])))
    text = (tmp_path / "report.md").read_text()
    assert (
        "94 of 104 demonstrations won (5 cut by the turn limit, 2 ended without success, 3 lost to "
        "errors of the environment), no mistakes in them (30% were asked for; an expert that is "
    ) in text
    assert "| 40 | 1.250 | - |" in text


def test_the_report_holds_what_is_promised_and_is_stored_as_it_is(tmp_path: Path) -> None:
    content = report.write(run_folder(tmp_path))
    assert json.loads((tmp_path / "report.json").read_text()) == json.loads(json.dumps(content))
    assert content["panel"] == {"name": "gen1/unseen[:6]", "hash": PANEL.hash, "tasks": 6}
    assert content["before"]["success"] == pytest.approx(1 / 6)
    assert content["after"]["success"] == pytest.approx(4 / 6)
    assert content["gain"] == pytest.approx(0.5)
    low, high = content["gain_ci95"]
    assert 0 < low < 0.5 < high
    for part in ("before", "after"):
        assert content[part].keys() >= {"success", "n", "ci95", "by_type"}
        assert content["greedy"][part]["n"] == 6
    assert content["before"]["num_errors"] == 1
    assert content["seconds"] == {
        "warm_start": 7.0, "evaluation": 6.5, "decode": 8.0, "credit": 2.0, "backward": 6.0,
        "save": 0.25, "total": 100.0,
    }  # fmt: skip
    assert content["speed"] == {"tokens_per_s": 50.0, "turns_per_s": 7.5}
    assert content["peak_rss_gb"] == 1.25
    assert content["fidelity"]["tokens_reencoded"] == 0
    assert content["warm_start"]["demonstrations"] == 94
    assert content["control"] is None
    assert content["problems"] == []
    report.check(content)


def test_the_report_to_read_has_tables_words_and_three_episodes(tmp_path: Path) -> None:
    report.write(run_folder(tmp_path))
    text = (tmp_path / "report.md").read_text()
    assert text.startswith("# a small run\n")
    assert f"panel `gen1/unseen[:6]` {PANEL.hash}, 6 tasks" in text
    assert f"({env_class('agentgym/Corridor-v0').generated})" in text
    assert "| **sampled** | 16.7% [" in text
    assert "| **greedy** | " in text
    assert "+50.0 points [+" in text
    assert "sampled, all" not in text
    assert "paired by task" in text
    assert "![learning curve](curve.png)" in text
    assert "94 demonstrations, 28% of their turns mistakes that are not imitated, 40 upd" in text
    assert "| 40 | 1.250 | 1.500 |" in text
    assert "| trained tokens that are not the sampled ones | 0 | none |" in text
    assert "logprobs, nats | 0.000001 | at most 0.001 |" in text
    assert "| train episodes lost to errors of ours | 0 of 64 (0.0%) | at most 5.0% |" in text
    assert "| evaluation episodes lost to errors of ours | 1 of 36 (2.8%) | at most 5.0% |" in text
    assert "| warm start | 7.0 |" in text
    assert text.count("```") == 6
    assert "status success" in text or "score 1" in text
    assert f"agentgym replay {tmp_path}" in text
    assert "Do not trust" not in text
    assert "## Control" not in text


def test_published_games_are_called_nothing_else(tmp_path: Path) -> None:
    """The remark belongs to panels that we generate."""
    run_folder(tmp_path)
    official = replace(PANEL, name="official/unseen")
    store.write_panel(tmp_path / "panel-eval.parquet", official)
    report.write(tmp_path)
    assert env_class("agentgym/Corridor-v0").generated not in (tmp_path / "report.md").read_text()


def test_the_control_is_reported_when_there_was_one(tmp_path: Path) -> None:
    control = {
        **WARM_START,
        "phase": "control", "played": 96, "failed": 2, "success": 0.25, "updates": 9,
        "seconds": 16.0,
        "gain": 0.1, "gain_ci95": [0.05, 0.15], "ci95": [0.2, 0.3], "by_type": {"all": 0.25},
    }  # fmt: skip
    content = report.write(run_folder(tmp_path, rows=[*ROWS, control]))
    assert content["control"] == control
    text = (tmp_path / "report.md").read_text()
    assert "on 94 of 96 demonstrations won (2 lost to errors of the environment): suc" in text
    assert "success 25.0% sampled; RL less control +10.0 points [+5.0, +15.0]." in text
    assert "| success | before RL | after RL | change | control | RL less control |" in text
    assert "| 25.0% [20.0%, 30.0%] | +10.0 points [+5.0, +15.0] |" in text
    said = "control 25.0%, imitation going on for as long; RL less control: +10.0 points"
    assert said in headline(content)


def test_the_right_answers_score_is_reported_where_it_was_measured(tmp_path: Path) -> None:
    assert report.write(run_folder(tmp_path / "without"))["information_gain"] is None
    ends = [(-3.0, -1.0), (-2.0, -0.5)]
    measured = [
        {
            **STEP_ROW,
            "step": 4 + step,
            "information_gain/ell_start": start,
            "information_gain/ell_gold": gold,
        }
        for step, (start, gold) in enumerate(ends)
    ]
    content = report.write(run_folder(tmp_path, rows=[*ROWS, *measured]))
    assert content["information_gain"] == {"ell_start": -2.5, "ell_gold": -0.75}
    text = (tmp_path / "report.md").read_text()
    assert "-2.500 before the first turn, -0.750 after the first observation that shows it" in text


def test_the_learning_curve_is_a_picture(tmp_path: Path) -> None:
    lost = {"phase": "eval", "at": 2, "sampled": None}
    for name, rows in (("full", ROWS), ("steps", ROWS[4:6]), ("evals", ROWS[3:4]), ("no", [lost])):
        draw_curve(tmp_path / f"{name}.png", rows, last=4)
        data = (tmp_path / f"{name}.png").read_bytes()
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        assert data.endswith(b"IEND\xaeB`\x82")


def test_fidelity_sums_the_steps_and_keeps_the_worst_gap() -> None:
    worse = {"step": 4, **STEP_ROW, "logprob_gap": 2e-5, "tokens/reencoded": 3.0}
    worse |= {"logprob_gap_mean": 6e-7, "ratios_far": 0.5}
    fidelity = measure_fidelity([*ROWS, worse], [])
    assert asdict(fidelity) == {
        "tokens_sampled": 500, "tokens_trained": 300, "tokens_masked": 200,
        "tokens_reencoded": 3, "prefix_breaks": 5, "turns_truncated": 10,
        # Five steps of 60 trained tokens each, four of them with gaps of 1e-7.
        "max_logprob_gap": 2e-5, "mean_logprob_gap": pytest.approx(2e-7), "far_ratios": 0.1,
        "infra_errors": 0, "score_errors": 0, "groups": 20,
        "groups_dropped_alike": 5, "groups_dropped_small": 0, "episodes": 80,
        "evaluation_errors": 0, "evaluation_episodes": 0,
    }  # fmt: skip
    assert measure_fidelity([], []).episodes == 0


def test_groups_are_counted_by_the_reason_they_were_dropped_for() -> None:
    """With a KL penalty a group of one valid member is kept, and so in no count."""
    counts = {"groups/without_two_valid": 16.0, "groups/dropped": 0.0}
    kept = {"step": 0, **STEP_ROW, **counts}
    dropped = {**kept, "groups/dropped": 9.0, "groups/dropped_without_two_valid": 7.0}
    for row, expected in ((kept, (0, 0)), (dropped, (2, 7))):
        found = measure_fidelity([row], [])
        assert (found.groups_dropped_alike, found.groups_dropped_small) == expected


def test_the_total_counts_a_killed_part_up_to_what_was_kept_of_it() -> None:
    """Two steps noted at 5 s and 9 s, a kill, an hour of nothing, and 20 s to the end."""
    killed: list[dict[str, Any]] = [
        {"phase": "begin", "unix_seconds": 100.0},
        {"step": 0, "seconds/decode": 4.0, "unix_seconds": 105.0},
        {"step": 1, "seconds/decode": 3.0, "unix_seconds": 109.0},
    ]
    resumed: list[dict[str, Any]] = [
        {"phase": "begin", "unix_seconds": 3700.0},
        {"phase": "seconds", "control": 2.0, "unix_seconds": 3708.0},
        {"phase": "seconds", "control": 1.0},
        {"phase": "end", "unix_seconds": 3720.0},
    ]
    found = report.seconds([*killed, *resumed])
    assert found == {"decode": 7.0, "control": 3.0, "total": 9.0 + 20.0}


def fidelity_of(**changes: Any) -> Fidelity:
    return replace(measure_fidelity(ROWS, []), **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"tokens_reencoded": 1}, ["1 trained tokens are not the sampled ones"]),
        (
            {"max_logprob_gap": 2e-3},
            ["sampling-time and train-time logprobs differ by 2.00e-03, allowed are 1e-03"],
        ),
        ({"max_logprob_gap": 1e-3}, []),
        ({"mean_logprob_gap": 1.0, "far_ratios": 1.0}, []),  # of bfloat16 alone
        ({"infra_errors": 3}, []),
        ({"infra_errors": 4}, ["6.2% of the episodes were lost to errors of ours"]),
        (
            {"infra_errors": 2, "score_errors": 2},
            ["6.2% of the episodes were lost to errors of ours"],
        ),
    ],
)
def test_a_threshold_that_is_passed_is_a_problem(changes: dict[str, Any], said: list[str]) -> None:
    """Of 64 episodes, 5 % are 3.2."""
    assert fidelity_of(**changes).problems(small_recipe("tiny")) == said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"max_logprob_gap": 1.0, "mean_logprob_gap": 0.02, "far_ratios": 0.01}, []),
        (
            {"mean_logprob_gap": 0.021},
            [
                "sampling-time and train-time logprobs differ by 2.10e-02 on average, "
                "allowed are 2e-02"
            ],
        ),
        (
            {"far_ratios": 0.011},
            [
                "1.1% of the trained tokens are above 1.2 or below 0.8 times as likely as when "
                "sampled, allowed are 1.0%"
            ],
        ),
    ],
)
def test_bfloat16_has_thresholds_of_its_own(changes: dict[str, Any], said: list[str]) -> None:
    recipe = small_recipe("tiny")
    model = recipe.model.model_copy(update={"dtype": "bfloat16"})
    recipe = recipe.model_copy(update={"model": model})
    assert fidelity_of(**changes).problems(recipe) == said


def test_a_run_that_is_not_to_be_trusted_is_reported_and_fails(tmp_path: Path) -> None:
    rows = [*ROWS, {"step": 4, **STEP_ROW, "tokens/reencoded": 2.0, "status/infra_error": 9.0}]
    content = report.write(run_folder(tmp_path, rows=rows))
    assert len(content["problems"]) == 2
    stored = store.open(tmp_path).report()
    with pytest.raises(FidelityError, match="2 trained tokens .*; 10.1% of the episodes"):
        report.check(stored)
    text = (tmp_path / "report.md").read_text()
    assert "**Do not trust this run: 2 trained tokens are not the sampled ones.**" in text


def test_a_type_that_was_lost_whole_has_no_figure_in_the_table(tmp_path: Path) -> None:
    run_folder(tmp_path)
    tasks = tuple(
        replace(task, public={**task.public, "type": "odd" if number % 2 else "even"})
        for number, task in enumerate(PANEL.tasks)
    )
    store.write_panel(tmp_path / "panel-eval.parquet", replace(PANEL, tasks=tasks))
    groups = groups_of(4, [[None] if number % 2 else [1.0] for number in range(6)])
    path = tmp_path / "episodes" / "eval-000004-sampled.parquet"
    store.write_episodes(path, (e for g in groups for e in g.episodes))
    content = report.write(tmp_path)
    assert content["after"]["by_type"] == {"even": 1.0, "odd": None}
    text = (tmp_path / "report.md").read_text()
    assert "| sampled, even | 16.7% | 100.0% | +83.3 points |" in text
    assert "| sampled, odd | 16.7% | - | - |" in text


def test_an_evaluation_without_a_valid_episode_has_no_figures(tmp_path: Path) -> None:
    run_folder(tmp_path)
    error = ErrorInfo(type="EnvError", phase="turns", message="step: KeyError: 7")
    groups = [
        Group(
            task_id=group.task_id,
            episodes=tuple(
                replace(episode, status=Status.INFRA_ERROR, error=error)
                for episode in group.episodes
            ),
        )
        for group in groups_of(4, [[None]] * 6)
    ]
    for kind in ("sampled", "greedy"):
        path = tmp_path / "episodes" / f"eval-000004-{kind}.parquet"
        store.write_episodes(path, (e for g in groups for e in g.episodes))
    content = report.write(tmp_path)
    after = content["after"]
    assert (after["n"], after["num_errors"], after["success"], after["ci95"]) == (0, 6, None, None)
    assert after["by_type"] == {"all": None}
    assert (content["gain"], content["gain_ci95"]) == (None, None)
    text = (tmp_path / "report.md").read_text()
    assert "%] | - | - |\n| **greedy**" in text
    assert headline(content) == "no success to report: not one episode after RL was valid"
    read = f"agentgym replay {tmp_path} --file eval-000004-greedy --group 0 --member 0"
    assert f"| 12 | EnvError: step: KeyError: 7 | `{read}` |" in text
    assert content["problems"] == [
        "43.3% of the evaluated episodes were lost to errors of ours, "
        f"most often 12 times EnvError: step: KeyError: 7; read one: {read}",
    ]

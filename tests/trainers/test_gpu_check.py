"""The check that a GPU is given, on two layers of a CPU: everything but its speed holds there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.gpu_check import measure, on_cpu, train
from benchmarks.report import as_table


@pytest.mark.slow
def test_the_check_runs_and_every_bar_is_met() -> None:
    rows = list(measure(on_cpu()))
    assert [row.what for row in rows if not row.ok] == []
    barred = {row.what for row in rows if row.bar is not None}
    assert barred == {
        "decode, static shapes: answers other than alone",
        "tree: mean gap of logprobs",
        "gradient of the tree, its distance over theirs",
        "train, all weights: peak, off the plan",
        "train, LoRA: peak, off the plan",
    }
    table = as_table(rows).splitlines()
    assert len(table) == len(rows) + 2
    assert all(line.count("|") == 4 for line in table)


def test_a_train_step_that_would_not_fit_is_not_tried() -> None:
    (row,) = train(replace(on_cpu(), memory=1 << 20), adapted=False)
    assert row.what == "train, all weights: not tried, planned peak"
    assert row.value > 0

"""Metrics of several parts as one."""

from __future__ import annotations

import pytest

from agentgym.trainers.metrics import join


def test_counts_are_summed_and_all_else_is_averaged_over_the_parts_that_have_it() -> None:
    parts = [
        {"salt/num_merged_edges": 3.0, "salt/merged": 0.5, "num_x/gain": 1.0, "enum_x/gain": 0.5},
        {"salt/num_merged_edges": 4.0, "salt/merged": 0.25, "num_x/gain": 3.0},
        {"enum_x/gain": 1.0},
    ]
    assert join(parts) == pytest.approx(
        {
            "salt/num_merged_edges": 7.0,
            "salt/merged": 0.375,
            "num_x/gain": 2.0,
            "enum_x/gain": 0.75,
        }
    )
    assert join([]) == {}

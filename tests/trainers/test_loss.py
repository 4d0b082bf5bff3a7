"""The loss against plain arithmetic, entry by entry."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agentgym.trainers.loss import Entries, PpoLoss, kl_to_reference
from oracles import ppo

LOGPROBS = st.floats(-8, 0)
ENTRY = st.tuples(LOGPROBS, st.floats(-1.5, 1.5), st.floats(-3, 3), LOGPROBS)


def entries_of(rows: list[tuple[float, float, float, float]]) -> Entries:
    """Double precision: what is compared is the formula, not the rounding."""
    logprobs, drifts, advantages, references = torch.tensor(rows, dtype=torch.float64).T
    return Entries(
        logprobs_E=logprobs.clone().requires_grad_(),
        old_logprobs_E=logprobs - drifts,
        ref_logprobs_E=references,
        advantages_E=advantages,
        weights_E=torch.ones_like(logprobs),
        turns_E=torch.zeros(len(rows), dtype=torch.int64),
        clip_scales_E=None,
        log_ratios_E=None,
    )


@given(
    rows=st.lists(ENTRY, min_size=1, max_size=6),
    low=st.floats(0.01, 0.9),
    high=st.floats(0.01, 2.0),
)
def test_the_clipped_surrogate_and_its_gradient(
    rows: list[tuple[float, float, float, float]], low: float, high: float
) -> None:
    entries = entries_of(rows)
    losses_E = PpoLoss(clip_low=low, clip_high=high)(entries)
    losses_E.sum().backward()
    expected = [
        ppo.surrogate(logprob, old, advantage, low=low, high=high)
        for logprob, old, advantage in zip(
            entries.logprobs_E.tolist(),
            entries.old_logprobs_E.tolist(),
            entries.advantages_E.tolist(),
            strict=True,
        )
    ]
    assert losses_E.tolist() == pytest.approx([loss for loss, _ in expected], abs=1e-12)
    assert entries.logprobs_E.grad is not None
    assert entries.logprobs_E.grad.tolist() == pytest.approx(
        [slope for _, slope in expected], abs=1e-12
    )


@given(rows=st.lists(ENTRY, min_size=1, max_size=6))
def test_the_penalty_and_its_gradient(rows: list[tuple[float, float, float, float]]) -> None:
    entries = entries_of(rows)
    kl_E = kl_to_reference(entries)
    kl_E.sum().backward()
    expected = [ppo.k3(logprob, reference) for logprob, _, _, reference in rows]
    assert kl_E.tolist() == pytest.approx([kl for kl, _ in expected], abs=1e-9)
    assert min(kl_E.tolist()) >= -1e-12
    assert entries.logprobs_E.grad is not None
    assert entries.logprobs_E.grad.tolist() == pytest.approx(
        [slope for _, slope in expected], abs=1e-9
    )


def test_worked_cases() -> None:
    """Ratio 1.5, bound 1.2: a gain stops at 1.2 x 2, a loss goes on to 1.5 x 2."""
    rows = [(-1.0, math.log(1.5), 2.0, -1.0), (-1.0, math.log(1.5), -2.0, -1.0)]
    entries = entries_of(rows)
    assert PpoLoss()(entries).tolist() == pytest.approx([-2.4, 3.0])
    assert kl_to_reference(entries).tolist() == [0.0, 0.0]


def test_at_the_sampling_policy_the_gradient_is_minus_the_advantage() -> None:
    entries = entries_of([(-1.0, 0.0, 0.7, 0.0), (-2.0, 0.0, -0.3, 0.0)])
    PpoLoss()(entries).sum().backward()
    assert entries.logprobs_E.grad is not None
    assert entries.logprobs_E.grad.tolist() == pytest.approx([-0.7, 0.3])


def test_bounds_outside_their_range_are_refused() -> None:
    with pytest.raises(ValidationError, match="clip_low"):
        PpoLoss(clip_low=1.0)
    with pytest.raises(ValidationError, match="clip_high"):
        PpoLoss(clip_high=0.0)

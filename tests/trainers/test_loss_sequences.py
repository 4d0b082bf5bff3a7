"""Losses of whole sequences, and what each token counts, against the equations."""

from __future__ import annotations

import doctest
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agentgym.registry import losses
from agentgym.trainers import aggregate
from agentgym.trainers.aggregate import Aggregation, Counts, token_weight
from agentgym.trainers.loss import (
    A2tgpoLoss,
    CispoLoss,
    DapoLoss,
    Entries,
    GrpoCLoss,
    GspoLoss,
    GspoTokenLoss,
    Loss,
    PpoLoss,
)
from oracles import sequence_losses as oracle

Batch = list[list[tuple[float, float, float]]]
Oracle = Callable[..., tuple[float, list[list[float]]]]


def entries_of(batch: Batch, loss: Loss) -> Entries:
    """The sequences as entries, in double precision."""
    flat = torch.tensor([token for tokens in batch for token in tokens], dtype=torch.float64)
    counts = Counts(num_tokens=float(len(flat)), num_sequences=float(len(batch)))
    sizes = torch.tensor([len(tokens) for tokens in batch])
    gaps = [sum(now - old for now, old, _ in tokens) / len(tokens) for tokens in batch]
    weights = [
        token_weight(loss.aggregation, len(tokens), counts, horizon=loss.horizon)
        for tokens in batch
    ]
    number_E = torch.arange(len(batch)).repeat_interleave(sizes)
    return Entries(
        logprobs_E=flat[:, 0].clone().requires_grad_(),
        old_logprobs_E=flat[:, 1],
        ref_logprobs_E=None,
        advantages_E=flat[:, 2],
        weights_E=torch.tensor(weights, dtype=torch.float64)[number_E],
        turns_E=number_E,
        clip_scales_E=None,
        log_ratios_E=torch.tensor(gaps, dtype=torch.float64)[number_E],
    )


def value_and_slopes(loss: Loss, batch: Batch) -> tuple[float, list[float]]:
    entries = entries_of(batch, loss)
    value = (entries.weights_E * loss(entries)).sum()
    value.backward()
    assert entries.logprobs_E.grad is not None
    return float(value.detach()), entries.logprobs_E.grad.tolist()


token = st.tuples(st.floats(-6, 0), st.floats(-6, 0), st.floats(-3, 3))
batches = st.lists(st.lists(token, min_size=1, max_size=5), min_size=1, max_size=5)


def with_one_advantage(batch: Batch) -> Batch:
    return [[(now, old, tokens[0][2]) for now, old, _ in tokens] for tokens in batch]


@pytest.mark.parametrize(
    ("loss", "reference", "alike"),
    [
        (PpoLoss(), oracle.ppo, False),
        (DapoLoss(), oracle.ppo, False),
        (CispoLoss(), oracle.cispo, False),
        (GspoLoss(), oracle.gspo, True),
        (GspoTokenLoss(), oracle.gspo_token, False),
    ],
    ids=["ppo", "dapo", "cispo", "gspo", "gspo_token"],
)
@settings(max_examples=100)
@given(batch=batches)
def test_value_and_gradient_are_the_equations(
    loss: PpoLoss | CispoLoss, reference: Oracle, alike: bool, batch: Batch
) -> None:
    batch = with_one_advantage(batch) if alike else batch
    value, slopes = value_and_slopes(loss, batch)
    wanted, wanted_slopes = reference(batch, low=loss.clip_low, high=loss.clip_high)
    assert value == pytest.approx(wanted, abs=1e-9, rel=1e-9)
    assert slopes == pytest.approx(sum(wanted_slopes, []), abs=1e-9, rel=1e-9)


def test_the_sequence_ratio_is_the_geometric_mean_and_not_the_product() -> None:
    # Log ratios .02, -.01, .03, 0: mean .01, s = 1.010050; the product would be 1.040811.
    batch = [[(gap - 1.0, -1.0, 1.0) for gap in (0.02, -0.01, 0.03, 0.0)]]
    free = GspoLoss(clip_high=1.0)
    assert value_and_slopes(free, batch)[0] == pytest.approx(-1.010050, abs=1e-6)
    clipped, slopes = value_and_slopes(GspoLoss(), batch)
    assert clipped == pytest.approx(-1.0004)
    assert slopes == [0.0] * 4


@given(batch=batches)
def test_both_forms_of_gspo_agree_where_an_episode_has_one_advantage(batch: Batch) -> None:
    alike = with_one_advantage(batch)
    assert value_and_slopes(GspoLoss(), alike) == value_and_slopes(GspoTokenLoss(), alike)


turns = st.lists(
    st.tuples(st.lists(token, min_size=1, max_size=5), st.floats(0.7, 1.3)), min_size=1, max_size=5
)


@settings(max_examples=100)
@given(rows=turns, low=st.floats(0.01, 0.7), high=st.floats(0.01, 0.7))
def test_a_turns_ratio_is_clipped_within_bounds_of_its_own(
    rows: list[tuple[list[tuple[float, float, float]], float]], low: float, high: float
) -> None:
    batch, scales = [tokens for tokens, _ in rows], [scale for _, scale in rows]
    for loss, factors in (
        (A2tgpoLoss(clip_low=low, clip_high=high), scales),
        (GrpoCLoss(clip_low=low, clip_high=high), [1.0] * len(rows)),
    ):
        plain = entries_of(batch, loss)
        scales_E = torch.tensor(scales, dtype=torch.float64)[plain.turns_E]
        entries = replace(plain, clip_scales_E=scales_E)
        value = (entries.weights_E * loss(entries)).sum()
        value.backward()
        wanted, slopes = oracle.turn_ratio(batch, low=low, high=high, scales=factors)
        assert float(value.detach()) == pytest.approx(wanted, abs=1e-9, rel=1e-9)
        assert entries.logprobs_E.grad is not None
        assert entries.logprobs_E.grad.tolist() == pytest.approx(
            sum(slopes, []), abs=1e-9, rel=1e-9
        )


def test_a_turn_with_a_high_gain_may_move_further() -> None:
    # The ratio is 1.22: beyond 1.2, within 1 + .2 x 1.101857, the scale of I2's first turn.
    batch = [[(-1.0, -1.0 - math.log(1.22), 1.0)]]
    assert value_and_slopes(GrpoCLoss(), batch)[1] == [0.0]
    entries = replace(
        entries_of(batch, A2tgpoLoss()),
        clip_scales_E=torch.tensor([1.101857], dtype=torch.float64),
    )
    A2tgpoLoss()(entries).sum().backward()
    assert entries.logprobs_E.grad is not None
    assert entries.logprobs_E.grad.tolist() == pytest.approx([-1.22])


def test_a_clipped_token_keeps_its_gradient_under_cispo_and_loses_it_under_ppo() -> None:
    batch = [[(-1.0, -1.0 - math.log(1.5), 2.0)]]
    assert value_and_slopes(CispoLoss(), batch)[1] == pytest.approx([-2.4])
    assert value_and_slopes(PpoLoss(), batch)[1] == [0.0]


def test_clip_higher_lets_a_rare_token_rise_further() -> None:
    # Ratio 1.25 is beyond 1.2 and within 1.28.
    batch = [[(-1.0, -1.0 - math.log(1.25), 1.0)]]
    assert value_and_slopes(PpoLoss(), batch)[1] == [0.0]
    assert value_and_slopes(DapoLoss(), batch)[1] == pytest.approx([-1.25])


def aggregated(aggregation: Aggregation, rows: Sequence[Sequence[float]], horizon: int) -> float:
    counts = Counts(num_tokens=float(sum(map(len, rows))), num_sequences=float(len(rows)))
    return sum(
        token_weight(aggregation, len(row), counts, horizon=horizon) * sum(row) for row in rows
    )


def test_the_aggregation_modes_differ_even_in_sign() -> None:
    rows = [[1.0] * 2, [-0.5] * 6]
    assert aggregated("token-mean", rows, 6) == pytest.approx(-0.125)
    assert aggregated("seq-mean-token-sum", rows, 6) == pytest.approx(-0.5)
    assert aggregated("seq-mean-token-mean", rows, 6) == pytest.approx(0.25)
    # Early verl, without the mean over the two sequences: -.166667.
    assert 2 * aggregated("seq-mean-token-sum-norm", rows, 6) == pytest.approx(-1 / 6)


def test_the_constant_mode_does_not_care_for_the_longest_sequence_of_the_batch() -> None:
    rows = [[1.0] * 2, [-0.5] * 6]
    with_longer = aggregated("seq-mean-token-sum-norm", [*rows, [0.0] * 50], 6)
    assert with_longer == pytest.approx(aggregated("seq-mean-token-sum-norm", rows, 6) * 2 / 3)


def test_the_example_in_the_docstring_holds() -> None:
    results = doctest.testmod(aggregate)
    assert (results.attempted, results.failed) == (4, 0)


def test_defaults_are_the_papers() -> None:
    made = {name: losses.make(name) for name in losses}
    assert {name: loss.aggregation for name, loss in made.items()} == {
        "a2tgpo": "token-mean",
        "cispo": "token-mean",
        "dapo": "token-mean",
        "grpo_c": "token-mean",
        "gspo": "seq-mean-token-mean",
        "gspo_token": "seq-mean-token-mean",
        "ppo": "token-mean",
    }
    assert (made["dapo"].clip_low, made["dapo"].clip_high) == (0.2, 0.28)
    assert (made["gspo"].clip_low, made["gspo"].clip_high) == (3e-4, 4e-4)


@pytest.mark.parametrize(
    "settings_", [{"aggregation": "seq-mean-token-sum-norm"}, {"horizon": 100}]
)
def test_a_constant_goes_with_the_mode_that_divides_by_it(settings_: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="set horizon with aggregation"):
        losses.make("ppo", **settings_)

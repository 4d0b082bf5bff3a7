"""Counter-based sampling: noise that depends on seed and index alone, and follows the model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from agentgym.engine import Sampler
from agentgym.trainers.engines.sampling import Drawn, sample, uniforms
from oracles import splitmix


def warm(logits: torch.Tensor, temperatures: Sequence[float]) -> Drawn:
    """One token for each row."""
    return sample(
        logits,
        seeds=range(len(temperatures)),
        indices=[0] * len(temperatures),
        samplers=[Sampler(temperature=t) for t in temperatures],
    )


def test_the_oracle_gives_the_published_outputs_of_splitmix64() -> None:
    assert splitmix.stream(1234567, 2) == [6457827717110365317, 3203168211198807973]


def test_uniforms_are_the_top_bits_of_splitmix64_from_the_mixed_seed() -> None:
    for seed in (0, 1, 2**63, 2**64 - 1):
        outputs = splitmix.stream(splitmix.mix(seed), 5)
        expected = [(bits >> 12) / 2**52 for bits in outputs]
        assert uniforms([seed] * 5, range(5)).tolist() == expected


def test_uniforms_do_not_depend_on_the_batch() -> None:
    together = uniforms([7, 8, 9], [0, 3, 1])
    assert together.tolist() == [uniforms([s], [i])[0] for s, i in ((7, 0), (8, 3), (9, 1))]


def test_uniforms_are_uniform_over_seeds_and_over_indices() -> None:
    count = 20_000
    for values in (
        uniforms(range(count), [0] * count),
        uniforms([5] * count, range(count)),
    ):
        shares = np.histogram(values, bins=10, range=(0, 1))[0] / count
        # 5 standard deviations of a share: sqrt(0.1 * 0.9 / 20000) = 0.0021.
        assert np.abs(shares - 0.1).max() < 0.0106
        assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 5 / np.sqrt(count)


def test_draws_follow_the_softmax_at_their_temperature() -> None:
    count = 20_000
    logits = torch.tensor([0.0, 1.0, 2.0, -1.0])
    for temperature in (0.5, 1.0, 2.0):
        ids = warm(logits.expand(count, -1), [temperature] * count).ids
        shares = torch.bincount(torch.tensor(ids), minlength=4) / count
        expected = (logits / temperature).softmax(-1)
        # 5 standard deviations of the widest share: sqrt(0.25 / 20000) = 0.0035.
        assert (shares - expected).abs().max() < 0.018


def test_logprobs_are_those_of_temperature_one() -> None:
    logits = torch.randn(6, 50, generator=torch.Generator().manual_seed(0))
    drawn = warm(logits, [0.0, 0.3, 0.7, 1.0, 2.0, 5.0])
    expected = logits.log_softmax(-1)[range(6), drawn.ids]
    assert drawn.logprobs == expected.tolist()


def test_temperature_zero_is_greedy_beside_sampled_rows() -> None:
    logits = torch.randn(4, 50, generator=torch.Generator().manual_seed(1))
    mixed = warm(logits, [0.0, 9.0, 0.0, 9.0]).ids
    greedy = warm(logits, [0.0] * 4).ids
    assert greedy == logits.argmax(-1).tolist()
    assert mixed[::2] == greedy[::2]
    assert mixed[1::2] != greedy[1::2]


def test_tokens_of_probability_zero_are_never_drawn() -> None:
    count = 5_000
    logits = torch.tensor([-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]).expand(count, -1)
    assert set(warm(logits, [1.0] * count).ids) == {1, 3}

"""Sampling by counter: the noise of a token is a function of its seed and index, nothing else.

Dimensions: B rows of a batch, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agentgym.engine import Sampler

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""The increment of splitmix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number
generators", figure 17), whose finaliser `_mix` is."""

RANKED = 64
"""So many of the likeliest tokens are looked at first where a sampler asks for the likeliest."""


def uniforms(seeds: Sequence[int], indices: Sequence[int]) -> npt.NDArray[np.float64]:
    """One number in [0, 1) for each pair of a 64-bit seed and a token's index, `[B]`."""
    seeds_B = np.array([seed % 2**64 for seed in seeds], dtype=np.uint64)
    indices_B = np.array(indices, dtype=np.uint64)
    # The seed is mixed first: the streams of two seeds are then no shifts of each other.
    bits_B = _mix(_mix(seeds_B) + (indices_B + np.uint64(1)) * GOLDEN)
    # 52 bits: times a total of double precision it still rounds below that total.
    return (bits_B >> np.uint64(12)).astype(np.float64) * 2.0**-52


def _mix(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One token per row."""

    ids: list[int]
    logprobs: list[float]
    """At temperature 1 and of the whole vocabulary, whatever the sampler."""
    kept: list[float | None]
    """See `Turn.kept`."""


def sample(
    logits_BV: Tensor,
    *,
    seeds: Sequence[int],
    indices: Sequence[int],
    samplers: Sequence[Sampler],
) -> Drawn:
    """Draw one token per row by inverting the cumulative distribution.

    Args:
        logits_BV: fp32.
    """
    device = logits_BV.device
    logprobs_BV = logits_BV.log_softmax(-1)
    chosen_B = logits_BV.argmax(-1)
    kept: list[float | None] = [None] * len(samplers)
    if any(sampler.temperature for sampler in samplers):
        warmth_B = torch.tensor([float(sampler.temperature) for sampler in samplers], device=device)
        # Rows at temperature 0 keep their argmax; 1 keeps the division harmless.
        divisor_B = torch.where(warmth_B > 0, warmth_B, 1.0)
        probs_BV = (logits_BV / divisor_B[:, None]).softmax(-1)
        if any(sampler.truncates for sampler in samplers):
            probs_BV.masked_fill_(probs_BV < _thresholds(probs_BV, samplers)[:, None], 0.0)
        # Summed in double: in fp32 the tail of a large vocabulary would be lost to rounding.
        sums_BV = probs_BV.cumsum(-1, dtype=torch.float64)
        draws_B = torch.from_numpy(uniforms(seeds, indices)).to(device)
        # "right" skips tokens of probability 0: their sum equals the one before.
        drawn_B = torch.searchsorted(sums_BV, draws_B[:, None] * sums_BV[:, -1:], right=True)[:, 0]
        chosen_B = torch.where(warmth_B > 0, drawn_B, chosen_B)
        if not all(sampler.plain for sampler in samplers):
            own_B = probs_BV.gather(-1, drawn_B[:, None])[:, 0].double()
            raw_B = logprobs_BV.gather(-1, drawn_B[:, None])[:, 0].double() / divisor_B
            # What the sum of p ** (1 / T) over the vocabulary is, one token tells.
            whole_B = torch.where(warmth_B == 1, 1.0, raw_B.exp() / own_B)
            masses = (whole_B * sums_BV[:, -1]).tolist()
            kept = [
                None if sampler.plain or not sampler.temperature else mass
                for sampler, mass in zip(samplers, masses, strict=True)
            ]
    picked_B = logprobs_BV.gather(-1, chosen_B[:, None])[:, 0]
    return Drawn(ids=chosen_B.tolist(), logprobs=picked_B.tolist(), kept=kept)


def all_or_none(kept: Sequence[float | None]) -> tuple[float, ...] | None:
    """The kept masses of one request's tokens, which all have one or none."""
    found = tuple(mass for mass in kept if mass is not None)
    assert len(found) in (0, len(kept)), "a request has one sampler"
    return found or None


def _thresholds(probs_BV: Tensor, samplers: Sequence[Sampler]) -> Tensor:
    """How likely a token must be to pass, `[B]`; 0 where all pass.

    So what is exactly as likely as the last token that passes passes, too: which of them came first
    would be an accident of the sort, and `kept` is the mass of all.

    Args:
        probs_BV: each row at its temperature.
    """
    num_tokens, device = probs_BV.shape[-1], probs_BV.device
    ranks = [min(sampler.top_k or num_tokens, num_tokens) for sampler in samplers]
    shares_B = torch.tensor([s.top_p for s in samplers], dtype=torch.float64, device=device)
    found_B = torch.tensor([s.min_p for s in samplers], device=device) * probs_BV.amax(-1)
    if not any(sampler.top_p < 1 or sampler.top_k for sampler in samplers):
        return found_B
    # The likeliest few are enough as a rule; to sort a large vocabulary takes longer than a step.
    count = min(num_tokens, max(RANKED, *(rank for rank in ranks if rank < num_tokens), 0))
    while True:
        likeliest_BK = probs_BV.topk(count).values
        sums_BK = likeliest_BK.cumsum(-1, dtype=torch.float64)
        last_B = (sums_BK < shares_B[:, None]).sum(-1)
        if count == num_tokens or not bool(((last_B == count) & (shares_B < 1)).any()):
            break
        count = min(num_tokens, 8 * count)
    last_B = torch.where(shares_B < 1, last_B, num_tokens)
    last_B = torch.minimum(last_B, torch.tensor(ranks, device=device) - 1)
    ranked_B = likeliest_BK.gather(-1, last_B.clamp(max=count - 1)[:, None])[:, 0]
    return torch.maximum(found_B, torch.where(last_B < count, ranked_B, 0.0))

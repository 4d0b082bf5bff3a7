"""Sampling by counter: the noise of a token is a function of its seed and index, nothing else.

Dimensions: B rows of a batch, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""The increment of splitmix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number
generators", figure 17), whose finaliser `_mix` is."""


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


def sample(
    logits_BV: Tensor,
    *,
    seeds: Sequence[int],
    indices: Sequence[int],
    temperatures: Sequence[float],
) -> tuple[list[int], list[float]]:
    """Draw one token per row by inverting the cumulative distribution; temperature 0 is greedy.

    Args:
        logits_BV: fp32.

    Returns:
        Token ids, and their log-probabilities at temperature 1, whatever the temperature.
    """
    device = logits_BV.device
    logprobs_BV = logits_BV.log_softmax(-1)
    greedy_B = logits_BV.argmax(-1)
    if not any(temperatures):
        chosen_B = greedy_B
    else:
        warmth_B = torch.tensor(temperatures, device=device)
        # Rows at temperature 0 take their argmax below; 1 keeps the division harmless.
        divisor_B1 = torch.where(warmth_B > 0, warmth_B, 1.0)[:, None]
        probs_BV = (logits_BV / divisor_B1).softmax(-1)
        # Summed in double: in fp32 the tail of a large vocabulary would be lost to rounding.
        sums_BV = probs_BV.cumsum(-1, dtype=torch.float64)
        draws_B = torch.from_numpy(uniforms(seeds, indices)).to(device)
        # "right" skips tokens of probability 0: their sum equals the one before.
        drawn_B = torch.searchsorted(sums_BV, draws_B[:, None] * sums_BV[:, -1:], right=True)[:, 0]
        chosen_B = torch.where(warmth_B > 0, drawn_B, greedy_B)
    picked_B = logprobs_BV.gather(-1, chosen_B[:, None])[:, 0]
    return chosen_B.tolist(), picked_B.tolist()

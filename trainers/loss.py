"""Policy losses over a flat list of (sequence, token) entries.

Dimension letters: E entries of one micro-batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """The trained tokens of one micro-batch; every field is parallel."""

    logprobs_E: Tensor
    """Of the current policy, with gradient."""
    old_logprobs_E: Tensor
    """Of the policy that sampled."""
    ref_logprobs_E: Tensor | None
    """Of the reference model; None when there is no KL penalty."""
    advantages_E: Tensor
    """The advantage of the entry's turn."""


class PpoLoss(BaseModel):
    """The clipped surrogate of PPO, with an upper bound of its own (clip-higher).

    Source: Schulman et al. 2017 (1707.06347), equation 7; DAPO (2503.14476), section 3.1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    clip_low: float = Field(default=0.2, gt=0, lt=1)
    clip_high: float = Field(default=0.2, gt=0)

    def __call__(self, entries: Entries) -> Tensor:
        """The loss of each entry, `[E]`; the caller divides the sum by its count of entries."""
        ratio_E = torch.exp(entries.logprobs_E - entries.old_logprobs_E)
        clipped_E = ratio_E.clamp(1 - self.clip_low, 1 + self.clip_high)
        return -torch.minimum(ratio_E * entries.advantages_E, clipped_E * entries.advantages_E)


def kl_to_reference(entries: Entries) -> Tensor:
    """The non-negative low-variance estimate of KL(policy || reference) per entry, `[E]`.

    Source: Schulman, "Approximating KL divergence" (2020), estimator k3.
    """
    assert entries.ref_logprobs_E is not None
    gap_E = entries.ref_logprobs_E - entries.logprobs_E
    return torch.exp(gap_E) - gap_E - 1

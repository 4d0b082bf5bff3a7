"""Policy losses over a flat list of (sequence, token) entries.

A loss is a number for each entry, and it never depends on which entries share its micro-batch.
How entries become one number is the loss's `aggregation`; the trainer weighs them by it.

Dimension letters: E entries of one micro-batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from agentgym.errors import UsageError
from agentgym.trainers.aggregate import Aggregation


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
    """The advantage of the entry's turn or token."""
    weights_E: Tensor
    """What the entry counts in the step's loss, which is the sum of losses so weighted: the
    trainer's business, as the same entry must count the same in every micro-batch."""
    sequences_E: Tensor
    """The number of the entry's episode among those of the step, int64."""
    log_ratios_E: Tensor | None
    """The mean of `logprob - old_logprob` over all trained tokens of the entry's episode, those
    of other micro-batches included, without gradient; None for a loss that does not read it."""


class Loss(Protocol):
    """A policy loss."""

    reads_sequences: ClassVar[bool]
    """Whether it needs `Entries.log_ratios_E`, which costs a pass without gradients."""

    @property
    def aggregation(self) -> Aggregation:
        """How the entries' losses become one."""
        ...

    @property
    def horizon(self) -> int | None:
        """The constant of "seq-mean-token-sum-norm"."""
        ...

    def __call__(self, entries: Entries) -> Tensor:
        """The loss of each entry, `[E]`."""
        ...


class Aggregated(BaseModel):
    """The part of a loss's configuration that says how entries become one number."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    reads_sequences: ClassVar[bool] = False

    aggregation: Aggregation = "token-mean"
    """See `token_weight`."""
    horizon: int | None = Field(default=None, ge=1)
    """What "seq-mean-token-sum-norm" divides by, such as the most tokens that an episode may
    sample."""

    @model_validator(mode="after")
    def _has_horizon(self) -> Aggregated:
        if (self.horizon is None) == (self.aggregation == "seq-mean-token-sum-norm"):
            raise ValueError("set horizon with aggregation seq-mean-token-sum-norm, and only then")
        return self


class PpoLoss(Aggregated):
    """The clipped surrogate of PPO, with an upper bound of its own (clip-higher).

    Source: Schulman et al. 2017 (1707.06347), equation 7; DAPO (2503.14476), section 3.1.
    """

    clip_low: float = Field(default=0.2, gt=0, lt=1)
    clip_high: float = Field(default=0.2, gt=0)

    def __call__(self, entries: Entries) -> Tensor:
        """The loss of each entry, `[E]`."""
        ratio_E = torch.exp(entries.logprobs_E - entries.old_logprobs_E)
        return self._clipped(ratio_E, entries.advantages_E)

    def _clipped(self, ratio_E: Tensor, advantages_E: Tensor) -> Tensor:
        bounded_E = ratio_E.clamp(1 - self.clip_low, 1 + self.clip_high)
        return -torch.minimum(ratio_E * advantages_E, bounded_E * advantages_E)


class DapoLoss(PpoLoss):
    """PPO's surrogate with DAPO's bounds, and the mean over all tokens of the step.

    Source: DAPO (2503.14476), sections 3.1 and 3.3. Its recipe's code also stops a loss at ten
    times its advantage (dual clip), which the paper does not have; left out.
    """

    clip_high: float = Field(default=0.28, gt=0)


class GspoTokenLoss(PpoLoss):
    """GSPO whose tokens may have advantages of their own, as turn-level credit gives them.

    Every token of an episode has one ratio, `s = exp(mean log ratio)` over the tokens that the
    policy sampled in it (the environment's take no part), and so all are clipped or none where
    the advantages agree in sign; but a token's gradient goes through its own logprob alone.

    Source: GSPO (2507.18071), equations 13 to 17; bounds of section 5.1.
    """

    reads_sequences: ClassVar[bool] = True

    clip_low: float = Field(default=3e-4, gt=0, lt=1)
    clip_high: float = Field(default=4e-4, gt=0)
    aggregation: Aggregation = "seq-mean-token-mean"

    def __call__(self, entries: Entries) -> Tensor:
        """The loss of each entry, `[E]`."""
        assert entries.log_ratios_E is not None
        own_E = entries.logprobs_E
        # Of value 0, with the gradient of the token's logprob. Added last: the other way round
        # two large numbers would cancel.
        log_ratio_E = entries.log_ratios_E + (own_E - own_E.detach())
        return self._clipped(torch.exp(log_ratio_E), entries.advantages_E)


class GspoLoss(GspoTokenLoss):
    """The clipped surrogate of whole episodes: one ratio and one advantage each.

    Value and gradient are those of the sequence form: the derivative of `s` by a token's logprob
    is `s` over the number of tokens, which is what the token form gives with equal advantages.

    Source: GSPO (2507.18071), equations 5 to 7 and 18.
    """

    def __call__(self, entries: Entries) -> Tensor:
        """The loss of each entry, `[E]`.

        Raises:
            UsageError: tokens of one episode have different advantages.
        """
        _check_one_advantage(entries)
        return super().__call__(entries)


class CispoLoss(Aggregated):
    """Policy gradient under a clipped importance weight: no token ever loses its gradient.

    Source: MiniMax-M1 (2506.13585), equations 4 and 5. The paper sets no lower bound and tunes
    the upper one without naming it; 0.2 is the default of the common implementation.
    """

    clip_low: float = Field(default=1.0, gt=0, le=1)
    """1 is no bound: a weight is never below 0."""
    clip_high: float = Field(default=0.2, gt=0)

    def __call__(self, entries: Entries) -> Tensor:
        """The loss of each entry, `[E]`."""
        ratio_E = torch.exp(entries.logprobs_E - entries.old_logprobs_E)
        # The weight is a number, not a function of the policy: its gradient would be PPO's.
        weight_E = ratio_E.clamp(1 - self.clip_low, 1 + self.clip_high).detach()
        return -weight_E * entries.advantages_E * entries.logprobs_E


def _check_one_advantage(entries: Entries) -> None:
    numbers_E = entries.sequences_E
    size = int(numbers_E.max()) + 1
    low = torch.full((size,), torch.inf, dtype=entries.advantages_E.dtype)
    values_E = entries.advantages_E.cpu()
    index_E = numbers_E.cpu()
    high = (-low).scatter_reduce(0, index_E, values_E, "amax")
    low = low.scatter_reduce(0, index_E, values_E, "amin")
    # Equal numbers are equal to the last bit: they were copied.
    if bool((high > low).any()):
        raise UsageError(
            "loss gspo has one advantage an episode, but the credit scheme gave turns of one "
            "episode different ones; use loss gspo_token"
        )


def kl_to_reference(entries: Entries) -> Tensor:
    """The non-negative low-variance estimate of KL(policy || reference) per entry, `[E]`.

    Source: Schulman, "Approximating KL divergence" (2020), estimator k3.
    """
    assert entries.ref_logprobs_E is not None
    gap_E = entries.ref_logprobs_E - entries.logprobs_E
    return torch.exp(gap_E) - gap_E - 1

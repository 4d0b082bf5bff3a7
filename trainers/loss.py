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
    turns_E: Tensor
    """A number for the entry's turn, int64; a turn's entries share one micro-batch."""
    clip_scales_E: Tensor | None
    """What multiplies the clipping range of the entry's turn; None where the credit scheme has no
    say in it."""
    log_ratios_E: Tensor | None
    """The mean of `logprob - old_logprob` over all trained tokens of the entry's episode, those
    of other micro-batches included, without gradient; None for a loss that does not read it."""


class Loss(Protocol):
    """A policy loss."""

    reads_sequences: ClassVar[bool]
    """Whether it needs `Entries.log_ratios_E`, which costs a pass without gradients."""
    one_advantage: ClassVar[bool]
    """Whether all tokens of an episode must have the same advantage; the trainer sees to it."""
    reads_clip_scales: ClassVar[bool]
    """Whether it needs `Entries.clip_scales_E`, which only some credit schemes give."""

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
    one_advantage: ClassVar[bool] = False
    reads_clip_scales: ClassVar[bool] = False

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

    Source: Schulman et al. 2017 (1707.06347); DAPO (2503.14476), clip-higher.
    """

    clip_low: float = Field(default=0.2, gt=0, lt=1)
    clip_high: float = Field(default=0.2, gt=0)

    def __call__(self, entries: Entries) -> Tensor:
        """The loss of each entry, `[E]`."""
        ratio_E = torch.exp(entries.logprobs_E - entries.old_logprobs_E)
        return self._clipped(ratio_E, entries.advantages_E)

    def _clipped(self, ratio_E: Tensor, advantages_E: Tensor) -> Tensor:
        bounded_E = ratio_E.clamp(1 - self.clip_low, 1 + self.clip_high)
        return _pessimistic(ratio_E, bounded_E, advantages_E)


class DapoLoss(PpoLoss):
    """PPO's surrogate with DAPO's bounds, and the mean over all tokens of the step.

    Source: DAPO (2503.14476), clip-higher and token-level loss. Its recipe's code also stops a
    loss at ten times its advantage (dual clip), which is not PPO's; left out.
    """

    clip_high: float = Field(default=0.28, gt=0)


class GspoTokenLoss(PpoLoss):
    """GSPO whose tokens may have advantages of their own, as turn-level credit gives them.

    Every token of an episode has one ratio, `s = exp(mean log ratio)` over the tokens that the
    policy sampled in it (the environment's take no part), and so all are clipped or none where
    the advantages agree in sign; but a token's gradient goes through its own logprob alone.

    Source: GSPO (2507.18071), GSPO-token, with the bounds of its experiments.
    """

    reads_sequences: ClassVar[bool] = True

    clip_low: float = Field(default=3e-4, gt=0, lt=1)
    clip_high: float = Field(default=4e-4, gt=0)
    aggregation: Aggregation = "seq-mean-token-mean"

    def __call__(self, entries: Entries) -> Tensor:
        """The loss of each entry, `[E]`."""
        assert entries.log_ratios_E is not None
        ratio_E = _shared_ratio(entries.log_ratios_E, entries.logprobs_E)
        return self._clipped(ratio_E, entries.advantages_E)


class GspoLoss(GspoTokenLoss):
    """The clipped surrogate of whole episodes: one ratio and one advantage each.

    Value and gradient are those of the sequence form: the derivative of `s` by a token's logprob
    is `s` over the number of tokens, which is what the token form gives with equal advantages.

    Source: GSPO (2507.18071), equation 5.
    """

    one_advantage: ClassVar[bool] = True


class GrpoCLoss(PpoLoss):
    """The clipped surrogate of whole turns: one ratio each, `s = exp(mean log ratio)` over the
    tokens that the policy sampled in the turn.

    Source: "GRAFT", its loss GRPO-C, that is GSPO with turns for sequences. The paper's bounds are
    not known here, PPO's are the default; nor is how it weighs turns of different length.
    """

    def __call__(self, entries: Entries) -> Tensor:
        """The loss of each entry, `[E]`."""
        return self._clipped(_turn_ratio(entries), entries.advantages_E)


class A2tgpoLoss(GrpoCLoss):
    """As `GrpoCLoss`, with bounds that follow each turn's information gain.

    Both bounds are multiplied by the turn's clip scale, which credit scheme a2tgpo gives: above 1
    where the gain was high, so that the policy may move further towards or away from such a turn.

    Source: "A2TGPO" (2605.06200), as described by others; what it multiplies is not known here,
    PPO's bounds are the default.
    """

    reads_clip_scales: ClassVar[bool] = True

    def __call__(self, entries: Entries) -> Tensor:
        """The loss of each entry, `[E]`."""
        assert entries.clip_scales_E is not None
        low_E = 1 - self.clip_low * entries.clip_scales_E
        high_E = 1 + self.clip_high * entries.clip_scales_E
        ratio_E = _turn_ratio(entries)
        return _pessimistic(ratio_E, ratio_E.clamp(low_E, high_E), entries.advantages_E)


class CispoLoss(Aggregated):
    """Policy gradient under a clipped importance weight: no token ever loses its gradient.

    Source: MiniMax-M1 (2506.13585). The paper sets no lower bound and tunes the upper one without
    naming it; 0.2 is the default of the common implementation.
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


def _pessimistic(ratio_E: Tensor, bounded_E: Tensor, advantages_E: Tensor) -> Tensor:
    return -torch.minimum(ratio_E * advantages_E, bounded_E * advantages_E)


def _shared_ratio(log_ratios_E: Tensor, logprobs_E: Tensor) -> Tensor:
    """A ratio of many tokens, with the gradient of each entry's own logprob."""
    # The difference is of value 0. Added last: the other way round two large numbers would cancel.
    return torch.exp(log_ratios_E + (logprobs_E - logprobs_E.detach()))


def _turn_ratio(entries: Entries) -> Tensor:
    """The geometric mean of the ratios of the entry's turn."""
    turns_E = entries.turns_E
    gaps_E = entries.logprobs_E.detach() - entries.old_logprobs_E
    sums = gaps_E.new_zeros(int(turns_E.max()) + 1).index_add(0, turns_E, gaps_E)
    means = sums / torch.bincount(turns_E).clamp(min=1)
    return _shared_ratio(means[turns_E], entries.logprobs_E)


def kl_to_reference(entries: Entries) -> Tensor:
    """The non-negative low-variance estimate of KL(policy || reference) per entry, `[E]`.

    Source: Schulman, "Approximating KL divergence" (2020), estimator k3.
    """
    assert entries.ref_logprobs_E is not None
    gap_E = entries.ref_logprobs_E - entries.logprobs_E
    return torch.exp(gap_E) - gap_E - 1

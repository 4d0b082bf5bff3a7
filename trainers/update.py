"""The gradient of a step's loss: one micro-batch in memory at a time, split where it does not fit.

Dimension letters: E trained tokens of one micro-batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import torch

from agentgym.meter import Meter
from agentgym.trainers.batches import MicroBatch
from agentgym.trainers.loss import Entries, Loss, kl_to_reference
from agentgym.trainers.pack import TrainSequence
from agentgym.trainers.policy import Policy
from agentgym.trainers.sequences import Sequences
from agentgym.trainers.splitting import run_all

FAR = math.log(0.8), math.log(1.2)
"""Log ratios of sampling-time and train-time probability beyond these are far from none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Updater:
    """What turns packed sequences into gradients."""

    policy: Policy
    reference: Policy | None
    """For the KL penalty; None where there is none."""
    loss: Loss
    kl: float
    """Weight of the KL penalty."""
    budget: int
    """Tokens of a micro-batch."""
    max_importance: float = 1.0
    """No token's loss is multiplied by more; see `TrainSequence.importance`."""
    meter: Meter = field(default_factory=Meter)


@dataclass(slots=True, kw_only=True)
class Sums:
    """What the micro-batches of an update add up to."""

    loss: float = 0.0
    entropy: float = 0.0
    """The surprise of sampled tokens, which estimates the entropy without a pass of its own."""
    kl: float = 0.0
    gap: float = 0.0
    """Largest |sampling-time - train-time logprob|."""
    gaps: float = 0.0
    """Their sum."""
    num_far: int = 0
    """Tokens whose probability ratio is outside `FAR`."""
    num_splits: int = 0
    """How often memory ran out."""


def summarize(parts: Sequence[Sums], num_tokens: float) -> dict[str, float]:
    """The metrics of an update whose parts ran in several processes.

    Args:
        num_tokens: trained tokens in all.
    """
    count = max(1.0, num_tokens)
    return {
        "loss/loss": sum(part.loss for part in parts),
        "loss/entropy": sum(part.entropy for part in parts) / count,
        "loss/kl": sum(part.kl for part in parts) / count,
        "logprob_gap": max(part.gap for part in parts),
        "logprob_gap_mean": sum(part.gaps for part in parts) / count,
        "ratios_far": sum(part.num_far for part in parts) / count,
        "memory/num_splits": float(sum(part.num_splits for part in parts)),
    }


def accumulate(updater: Updater, packed: Sequence[TrainSequence], wholes: Sequences) -> Sums:
    """Add the gradient of the step's loss to the policy's, which has none yet.

    Where memory runs out the gradient is begun anew in smaller micro-batches, so that it stays the
    same even if a backward pass broke off.

    Raises:
        MemoryFullError: one sequence alone does not fit.
    """
    ids, trained = [s.ids for s in packed], [s.trained for s in packed]
    sums = Sums()

    def add(batch: MicroBatch) -> None:
        _add(updater, batch, [packed[i] for i in batch.members], wholes, sums)

    def restart() -> None:
        nonlocal sums
        sums = Sums()
        updater.policy.model.zero_grad()

    images = [s.images for s in packed]
    batches = updater.policy.plan(ids, trained, budget=updater.budget, images=images)
    num_splits = run_all(batches, add, restart=restart)
    return replace(sums, num_splits=num_splits)


def _add(
    updater: Updater,
    batch: MicroBatch,
    sequences: Sequence[TrainSequence],
    wholes: Sequences,
    sums: Sums,
) -> None:
    """Add a micro-batch's gradient, and its numbers to the sums."""
    with updater.meter.phase("forward"):
        entries = _entries(updater, batch, sequences, wholes)
        losses_E = updater.loss(entries)
        if entries.ref_logprobs_E is not None:
            kl_E = kl_to_reference(entries)
            losses_E = losses_E + updater.kl * kl_E
            sums.kl += float(kl_E.sum().detach())
        loss = (entries.weights_E * losses_E).sum()
    with updater.meter.phase("backward"):
        loss.backward()
    sums.loss += float(loss.detach())
    logprobs_E = entries.logprobs_E.detach()
    sums.entropy -= float(logprobs_E.sum())
    drift_E = logprobs_E - entries.old_logprobs_E
    sums.gap = max(sums.gap, float(drift_E.abs().max()))
    sums.gaps += float(drift_E.abs().sum())
    sums.num_far += int(((drift_E < FAR[0]) | (drift_E > FAR[1])).sum())


def _entries(
    updater: Updater, batch: MicroBatch, sequences: Sequence[TrainSequence], wholes: Sequences
) -> Entries:
    """The micro-batch as flat entries, with the current policy's logprobs.

    Args:
        sequences: parallel to its members.
    """
    device = updater.policy.device

    def flat(values: Sequence[Sequence[float]]) -> torch.Tensor:
        return torch.tensor(list(chain.from_iterable(values)), device=device)

    reference = log_ratios = scales = None
    if updater.loss.reads_clip_scales:
        scales = flat([sequence.clip_scales or () for sequence in sequences])
    turns = [(i, turn) for i, sequence in enumerate(sequences) for turn in sequence.turns]
    number = {turn: n for n, turn in enumerate(dict.fromkeys(turns))}
    if wholes.log_ratios is not None:
        log_ratios = wholes.flat(wholes.log_ratios, sequences).to(device)
    if updater.reference is not None:
        with torch.no_grad():
            reference = updater.reference.run(batch)
    weights = wholes.flat(wholes.weights, sequences).to(device)
    if any(sequence.importance is not None for sequence in sequences):
        # Cut from above, as few tokens of large weight would be most of the gradient.
        importance = [s.importance or (1.0,) * len(s.trained) for s in sequences]
        weights = weights * flat(importance).clamp(max=updater.max_importance)
    return Entries(
        logprobs_E=updater.policy.run(batch),
        old_logprobs_E=flat([sequence.old_logprobs for sequence in sequences]),
        ref_logprobs_E=reference,
        advantages_E=flat([sequence.advantages for sequence in sequences]),
        weights_E=weights,
        turns_E=torch.tensor([number[turn] for turn in turns], device=device),
        clip_scales_E=scales,
        log_ratios_E=log_ratios,
    )

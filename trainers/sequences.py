"""What a loss must know of whole episodes, whose tokens lie in several micro-batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from agentgym.errors import UsageError
from agentgym.trainers.aggregate import Counts, token_weight
from agentgym.trainers.loss import Loss
from agentgym.trainers.pack import TrainSequence
from agentgym.trainers.policy import Policy
from agentgym.trainers.world import World
from agentgym.types import EpisodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequences:
    """The episodes of this process's part of an update, each with all its trained tokens."""

    counts: Counts
    weights: Mapping[EpisodeId, float]
    """What each trained token of the episode counts in the step's loss."""
    log_ratios: Mapping[EpisodeId, float] | None
    """The mean of logprob now less logprob when sampled; None where the loss does not read it."""

    @classmethod
    def of(
        cls, packed: Sequence[TrainSequence], loss: Loss, *, policy: Policy, world: World
    ) -> Sequences:
        """Count and weigh; every process must call it, whatever it has packed.

        Raises:
            UsageError: the loss wants one advantage an episode, and some process has an episode
                with several. No micro-batch could tell, as it may hold a part of the episode.
        """
        if loss.one_advantage and world.any(_are_several(packed)):
            raise UsageError(
                "the loss has one advantage an episode, but the credit scheme gave turns of one "
                "episode different ones; for GSPO use loss gspo_token"
            )
        sizes: defaultdict[EpisodeId, int] = defaultdict(int)
        for sequence in packed:
            sizes[sequence.episode] += len(sequence.trained)
        mine = {"tokens": float(sum(sizes.values())), "sequences": float(len(sizes))}
        total = world.sum_floats(mine)
        counts = Counts(num_tokens=total["tokens"], num_sequences=total["sequences"])
        return cls(
            counts=counts,
            weights={
                episode: token_weight(loss.aggregation, size, counts, horizon=loss.horizon)
                for episode, size in sizes.items()
            },
            log_ratios=_log_ratios(packed, sizes, policy) if loss.reads_sequences else None,
        )

    def flat(self, values: Mapping[EpisodeId, float], packed: Sequence[TrainSequence]) -> Tensor:
        """A value of each trained token's episode, `[E]`."""
        return torch.tensor([values[s.episode] for s in packed for _ in s.trained])


def _are_several(packed: Sequence[TrainSequence]) -> bool:
    """Whether trained tokens of one episode have different advantages."""
    first: dict[EpisodeId, float] = {}
    # Equal ones are equal to the last bit: they were copied.
    return any(
        advantage != first.setdefault(sequence.episode, advantage)
        for sequence in packed
        for advantage in sequence.advantages
    )


def _log_ratios(
    packed: Sequence[TrainSequence], sizes: Mapping[EpisodeId, int], policy: Policy
) -> dict[EpisodeId, float]:
    with torch.no_grad():
        now = policy.logprobs(
            [s.ids for s in packed],
            [s.trained for s in packed],
            images=[s.images for s in packed],
        ).tolist()
    sums: defaultdict[EpisodeId, float] = defaultdict(float)
    places = ((s.episode, old) for s in packed for old in s.old_logprobs)
    for (episode, old), logprob in zip(places, now, strict=True):
        sums[episode] += logprob - old
    return {episode: total / sizes[episode] for episode, total in sums.items()}

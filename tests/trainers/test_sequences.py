"""What a loss knows of whole episodes: over all segments, whatever their micro-batches."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from agentgym import UsageError
from agentgym.registry import losses
from agentgym.trainers.loss import GspoLoss, GspoTokenLoss, PpoLoss
from agentgym.trainers.pack import TrainSequence
from agentgym.trainers.policy import Policy
from agentgym.trainers.sequences import Sequences
from agentgym.trainers.world import World
from agentgym.types import EpisodeId

ALONE = World(rank=0, size=1)


def segment(
    member: int, ids: tuple[int, ...], trained: tuple[int, ...], *advantages: float
) -> TrainSequence:
    """A segment whose trained tokens had logprob -1 when sampled."""
    return TrainSequence(
        episode=EpisodeId(step=0, group=0, member=member),
        ids=ids,
        trained=trained,
        turns=(0,) * len(trained),
        old_logprobs=(-1.0,) * len(trained),
        advantages=advantages,
    )


PACKED = [
    segment(0, (5, 6, 7, 8), (1, 3), 0.5, 0.5),
    segment(1, (5, 9), (1,), -0.5),
    segment(0, (7, 6, 5), (2,), 0.5),
]
"""Two episodes, the first in two segments."""


def test_the_ratio_of_an_episode_is_over_its_segments_and_its_sampled_tokens(
    corridor_model: Path,
) -> None:
    """Per-turn rows would silently make it a ratio of turns; observations take no part in it."""
    policy = Policy.load(corridor_model, device="cpu")
    found = Sequences.of(PACKED, GspoTokenLoss(), policy=policy, world=ALONE).log_ratios
    gaps: dict[int, list[float]] = {0: [], 1: []}
    for packed in PACKED:
        with torch.no_grad():
            logits = policy.model(input_ids=torch.tensor([packed.ids])).logits[0].float()
        logprobs = logits.log_softmax(-1)
        gaps[packed.episode.member] += [
            float(logprobs[place - 1, packed.ids[place]]) + 1.0 for place in packed.trained
        ]
    assert found is not None
    for episode, mean in found.items():
        own = gaps[episode.member]
        assert mean == pytest.approx(math.fsum(own) / len(own), abs=1e-5)


@pytest.mark.parametrize("name", sorted(losses))
def test_only_gspo_wants_one_advantage_an_episode(corridor_model: Path, name: str) -> None:
    """The second segment differs: no micro-batch that holds one of them could tell."""
    policy = Policy.load(corridor_model, device="cpu")
    loss = losses.make(name)
    uneven = [*PACKED[:2], segment(0, (7, 6, 5), (2,), 0.25)]
    assert set(Sequences.of(PACKED, loss, policy=policy, world=ALONE).weights) == {
        sequence.episode for sequence in PACKED
    }
    if name != "gspo":
        Sequences.of(uneven, loss, policy=policy, world=ALONE)
        return
    with pytest.raises(UsageError, match=r"one advantage an episode.*use loss gspo_token"):
        Sequences.of(uneven, loss, policy=policy, world=ALONE)


def test_gspo_asks_for_what_the_others_do_not() -> None:
    assert (GspoLoss.one_advantage, GspoTokenLoss.one_advantage) == (True, False)
    assert (GspoLoss.reads_sequences, PpoLoss.reads_sequences) == (True, False)

"""The train step under every loss and aggregation, and which groups it leaves out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import PrivateAttr
from steps import gradients_of, stepped
from torch import Tensor

from agentgym import UsageError
from agentgym.trainers.config import channels
from agentgym.trainers.credit.a2tgpo import A2tgpo
from agentgym.trainers.loss import A2tgpoLoss, Entries
from agentgym.trainers.rewards.combine import combine

LOSSES: dict[str, dict[str, Any]] = {
    "cispo": {"name": "cispo"},
    "dapo": {"name": "dapo"},
    "grpo_c": {"name": "grpo_c"},
    "gspo": {"name": "gspo", "clip_low": 0.9, "clip_high": 9.0},
    "gspo_token": {"name": "gspo_token", "clip_low": 0.9, "clip_high": 9.0},
    "sums": {"name": "ppo", "aggregation": "seq-mean-token-sum"},
    "norm": {"name": "ppo", "aggregation": "seq-mean-token-sum-norm", "horizon": 64},
    "means": {"name": "ppo", "aggregation": "seq-mean-token-mean"},
}


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_no_loss_depends_on_packing(corridor_model: Path, name: str) -> None:
    """Even where an episode's turns lie in several micro-batches, as every turn is re-rendered."""
    sections: dict[str, Any] = {
        "loss": LOSSES[name],
        "credit": {"name": "grpo" if name == "gspo" else "salt"},
        "render": {"history": 2},
    }
    whole, result = stepped(corridor_model, 1, train={"micro_batch_tokens": 100_000}, **sections)
    parts, _ = stepped(corridor_model, 1, train={"micro_batch_tokens": 1}, **sections)
    assert result.metrics["segments/breaks"] > 0
    for one, other in zip(gradients_of(parts), gradients_of(whole), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert max(float(gradient.abs().max()) for gradient in gradients_of(whole)) > 1e-3


def test_a_sequence_is_an_episode_and_not_a_segment(corridor_model: Path) -> None:
    """Per-turn rows would turn a sequence loss into one of turns (and weigh long episodes more)."""
    trainer, result = stepped(
        corridor_model,
        1,
        loss={"name": "ppo", "aggregation": "seq-mean-token-sum"},
        credit={"name": "grpo"},
        render={"history": 2},
    )
    trained = [
        episode
        for group in result.groups
        if any(abs(a) > 0 for e in group.valid for a in e.advantages or ())
        for episode in group.valid
    ]
    tokens = [
        sum(len(turn.action_ids) for turn in episode.turns if turn.finish != "length")
        for episode in trained
    ]
    # At the sampling policy every ratio is 1: the loss is minus the mean of tokens x advantage.
    total = sum(
        -size * (episode.advantages or (0.0,))[0]
        for size, episode in zip(tokens, trained, strict=True)
    )
    count = sum(size > 0 for size in tokens)
    assert result.metrics["loss/loss"] == pytest.approx(total / count, abs=1e-4)


@pytest.mark.parametrize("budget", [1, 100_000])
def test_gspo_refuses_turns_with_credit_of_their_own_however_they_are_packed(
    corridor_model: Path, budget: int
) -> None:
    """Every turn is a sequence, and with a budget of 1 a micro-batch of its own."""
    with pytest.raises(UsageError, match=r"one advantage an episode.*use loss gspo_token"):
        stepped(
            corridor_model,
            1,
            loss=LOSSES["gspo"],
            credit={"name": "salt"},
            render={"history": 2},
            train={"micro_batch_tokens": budget},
        )


class Recording(A2tgpoLoss):
    """Keeps what it was given."""

    _seen: list[Entries] = PrivateAttr(default_factory=list)

    def __call__(self, entries: Entries) -> Tensor:
        self._seen.append(entries)
        return super().__call__(entries)


@pytest.mark.parametrize("history", ["all", 1])
def test_a_turns_clip_scale_reaches_its_tokens_and_no_others(
    corridor_model: Path, history: str | int
) -> None:
    loss = Recording()
    trainer, result = stepped(
        corridor_model,
        changes={"loss": loss},
        env={"id": "canary_env:Canary", "max_turns": 4, "eval": "gen1/train"},
        train={"tasks_per_step": 2, "kl": 1e-9},  # so that no group is dropped
        render={"history": history},
        credit={"name": "a2tgpo"},
        rewards={"information_gain": {"prefix": "answer["}},
    )
    credited = A2tgpo()(combine(result.groups, channels(trainer.recipe)))
    assert credited.clip_scales is not None
    expected = [
        (scale, advantage)
        for group, rows, found in zip(
            result.groups, credited.clip_scales, credited.advantages, strict=True
        )
        for episode, scales, advantages in zip(group.valid, rows, found, strict=True)
        for turn, scale, advantage in zip(episode.turns, scales, advantages, strict=True)
        if turn.finish != "length"
        for _ in turn.action_ids
    ]
    assert len({scale for scale, _ in expected}) > 2, "no turn had a gain: the test shows nothing"
    given, turns = [], 0
    for entries in loss._seen:
        assert entries.clip_scales_E is not None
        pairs = list(
            zip(entries.clip_scales_E.tolist(), entries.advantages_E.tolist(), strict=True)
        )
        given += pairs
        turns += len(set(entries.turns_E.tolist()))
        for number in set(entries.turns_E.tolist()):
            own = {p for p, t in zip(pairs, entries.turns_E.tolist(), strict=True) if t == number}
            assert len(own) == 1
    assert turns == sum(
        turn.finish != "length" for g in result.groups for e in g.valid for turn in e.turns
    )
    assert sorted(given) == [pytest.approx(pair, abs=1e-6) for pair in sorted(expected)]


PRICED = {"invalid_action": {"into": "outcome", "weight": -0.1}}


def test_dynamic_sampling_looks_at_the_raw_score(corridor_model: Path) -> None:
    """An outcome with a price on invalid actions differs where the scores are all equal."""
    sections: dict[str, Any] = {
        "credit": {"name": "grpo"},
        "rewards": PRICED,
        "render": {"history": 1},
    }
    seen = 0
    for step in range(3):
        _, plain = stepped(corridor_model, step, **sections)
        _, sampled = stepped(corridor_model, step, train={"dynamic_sampling": True}, **sections)
        alike = [g for g in sampled.groups if len({e.score for e in g.valid}) < 2]
        assert sampled.metrics["groups/dropped"] == len(alike)
        assert plain.metrics["groups/dropped"] <= len(alike)
        seen += len(alike) - int(plain.metrics["groups/dropped"])
    assert seen > 0, "no group was alike in score and not in outcome: the test shows nothing"

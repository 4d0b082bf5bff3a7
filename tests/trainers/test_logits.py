"""No tensor of a train step is larger than a chunk of logits, and one that were would be found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import small_recipe, small_trainer
from torch import Tensor
from transformers import Qwen2Config, Qwen2ForCausalLM

from agentgym.trainers.live_bytes import LiveBytes
from agentgym.trainers.policy import Policy
from agentgym.trainers.scorer import LOGITS_BUDGET
from agentgym.trainers.step import train_step

NUM_TOKENS = 1_000_000
"""16 rows of so many logits are a chunk."""


@pytest.fixture(scope="module")
def large_vocabulary(corridor_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Corridor's tokenizer with a model that knows many more tokens."""
    folder = tmp_path_factory.mktemp("large")
    config = Qwen2Config(
        vocab_size=NUM_TOKENS,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=16,
        max_position_embeddings=512,
        tie_word_embeddings=True,
    )
    Policy(Qwen2ForCausalLM(config), Policy.load(corridor_model, device="cpu").tokenizer).save(
        folder
    )
    return folder


class Whole(Policy):
    """The logits of all wanted tokens at once: what nothing may do."""

    def _score_hidden(self, hidden_WH: Tensor, targets: list[int]) -> Tensor:
        return self._score_tokens(hidden_WH, torch.tensor(targets))


def largest(model: Path, *, policy_class: type[Policy]) -> tuple[int, float]:
    """Elements of the largest tensor of a train step, and how many tokens it trained."""
    recipe = small_recipe(
        model,
        train={
            "tasks_per_step": 5,
            "max_turn_tokens": 2,
            "kl": 0.1,  # groups without success take part, and the reference too
            "mask_truncated": False,
        },
        env={"max_turns": 1},
    )
    reference = Policy.load(model, device="cpu")
    trainer = small_trainer(recipe, reference=reference)
    policy: Any = trainer.policy
    policy.__class__ = policy_class
    with LiveBytes() as seen:
        result = train_step(replace(trainer, policy=policy), 0)
    return seen.largest, result.metrics["tokens/trained"]


def test_no_tensor_of_a_step_is_larger_than_a_chunk_of_logits(large_vocabulary: Path) -> None:
    size, num_tokens = largest(large_vocabulary, policy_class=Policy)
    assert num_tokens * NUM_TOKENS > 2 * LOGITS_BUDGET
    # A decode step of all 20 episodes at once would pass the bound, too.
    assert NUM_TOKENS * 8 < size <= LOGITS_BUDGET


def test_a_planted_tensor_of_all_logits_is_found(large_vocabulary: Path) -> None:
    size, _ = largest(large_vocabulary, policy_class=Whole)
    assert size > LOGITS_BUDGET

"""The policy's forward primitive against one sequence at a time, and how models come and go."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import tiny_policy, tiny_tokenizer
from torch import Tensor
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from agentgym.errors import UsageError
from agentgym.trainers import batches
from agentgym.trainers.policy import Policy
from agentgym.trainers.world import World


def naive_logits(policy: Policy, ids: Sequence[int], wanted: Sequence[int]) -> Tensor:
    """`[wanted, V]`: the logits of one sequence, all of them, at temperature 1."""
    model: Any = policy.model
    logits: Tensor = model(torch.tensor([ids])).logits[0].float()
    return logits[[position - 1 for position in wanted]]


def naive_logprobs(policy: Policy, ids: Sequence[int], wanted: Sequence[int]) -> Tensor:
    chosen = [ids[position] for position in wanted]
    return naive_logits(policy, ids, wanted).log_softmax(-1)[range(len(wanted)), chosen]


def sequences(*, count: int, seed: int) -> tuple[list[list[int]], list[list[int]]]:
    """Random sequences of 1 to 80 tokens, and some of their positions, at times none."""
    rng = random.Random(seed)
    ids = [rng.choices(range(300), k=rng.randint(1, 80)) for _ in range(count)]
    wanted = [sorted(rng.sample(range(1, len(s)), k=rng.randint(0, len(s) - 1))) for s in ids]
    return ids, wanted


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
@pytest.mark.parametrize("budget", [1, 200, 8192])
def test_logprobs_and_gradients_are_those_of_one_sequence_at_a_time(
    architecture: str, budget: int
) -> None:
    policy = tiny_policy(architecture=architecture)
    parameters = list(policy.model.parameters())
    ids, wanted = sequences(count=9, seed=budget)
    expected = torch.cat([naive_logprobs(policy, s, w) for s, w in zip(ids, wanted, strict=True)])
    weights = torch.linspace(-1, 1, len(expected))
    expected_grads = torch.autograd.grad((weights * expected).sum(), parameters)
    logprobs = policy.logprobs(ids, wanted, budget=budget)
    grads = torch.autograd.grad((weights * logprobs).sum(), parameters)
    # fp32 sums of a few hundred terms, in another order.
    assert torch.allclose(logprobs, expected, atol=1e-5)
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        assert torch.allclose(grad, expected_grad, atol=1e-5, rtol=1e-4)


def test_a_large_vocabulary_is_scored_in_chunks_with_the_same_gradients() -> None:
    tokenizer = tiny_tokenizer()
    config = Qwen2Config(
        vocab_size=60_000,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=16,
    )
    policy = Policy(Qwen2ForCausalLM(config), tokenizer)
    parameters = list(policy.model.parameters())
    # 2 ** 24 logits are 279 rows of 60,000: two chunks.
    ids = [random.Random(0).choices(range(60_000), k=300)]
    wanted = [range(1, 300)]
    expected = naive_logprobs(policy, ids[0], wanted[0])
    logprobs = policy.logprobs(ids, wanted)
    assert torch.allclose(logprobs, expected, atol=1e-5)
    grads = torch.autograd.grad(logprobs.sum(), parameters)
    expected_grads = torch.autograd.grad(expected.sum(), parameters)
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        assert torch.allclose(grad, expected_grad, atol=1e-4, rtol=1e-4)


def test_gradients_are_off_where_the_caller_switches_them_off() -> None:
    policy = tiny_policy()
    with torch.no_grad():
        assert not policy.logprobs([[1, 2, 3]], [[1, 2]]).requires_grad


def test_nothing_wanted_is_an_empty_tensor() -> None:
    assert tiny_policy().logprobs([[1, 2], [3]], [[], []]).shape == (0,)


@pytest.mark.parametrize(
    ("ids", "wanted", "message"),
    [
        ([[1, 2]], [[0]], "sequence 0: position 0 is not within 1 .. 1"),
        ([[1, 2], [1, 2]], [[1], [2]], "sequence 1: position 2 is not within 1 .. 1"),
        ([[1, 2]], [[1], [1]], "1 sequences but 2 lists"),
    ],
)
def test_positions_outside_a_sequence_are_errors(
    ids: list[list[int]], wanted: list[list[int]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        tiny_policy().logprobs(ids, wanted)


def test_micro_batches_hold_every_sequence_once_and_fit_their_budget() -> None:
    lengths = random.Random(0).choices(range(60), k=50)
    found = batches.padded(lengths, budget=100)
    members = [i for batch in found for i in batch]
    assert sorted(members) == [i for i, n in enumerate(lengths) if n > 0]
    assert all(len(batch) * max(lengths[i] for i in batch) <= 100 for batch in found)
    # Similar lengths stand together, so that little is padding.
    assert [lengths[i] for i in members] == sorted((n for n in lengths if n), reverse=True)


def test_a_sequence_above_the_budget_is_a_batch_of_its_own() -> None:
    assert batches.padded([3, 500, 4], budget=10) == [(1,), (2, 0)]


def test_summed_gradients_count_an_idle_process_as_zero() -> None:
    policy = tiny_policy()
    World(rank=0, size=1).sum_gradients(policy.model.parameters())
    grads = [parameter.grad for parameter in policy.model.parameters()]
    assert all(grad is not None and not grad.any() for grad in grads)


def test_a_saved_policy_loads_as_it_was(tmp_path: Path) -> None:
    policy = tiny_policy()
    policy.save(tmp_path)
    loaded = Policy.load(tmp_path, device="cpu")
    ids, wanted = sequences(count=4, seed=2)
    assert torch.equal(loaded.logprobs(ids, wanted), policy.logprobs(ids, wanted))
    assert loaded.context == policy.context
    assert loaded.end_ids == {loaded.tokenizer.convert_tokens_to_ids("<end>")}
    text = "You arrive at mug 1.\n caf\u00e9 <end>"
    assert loaded.tokenizer.encode(text) == policy.tokenizer.encode(text)
    assert loaded.tokenizer.chat_template == policy.tokenizer.chat_template


def test_a_missing_model_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot load model '.*nowhere'"):
        Policy.load(tmp_path / "nowhere", device="cpu")


def test_a_tokenizer_without_chat_template_is_refused() -> None:
    policy = tiny_policy()
    bare = PreTrainedTokenizerFast(tokenizer_object=policy.tokenizer.backend_tokenizer)
    with pytest.raises(UsageError, match="no chat template"):
        Policy(policy.model, bare)


def test_a_tokenizer_larger_than_the_model_is_refused() -> None:
    config = Qwen2Config(
        vocab_size=64,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=16,
    )
    with pytest.raises(UsageError, match=r"the tokenizer has \d+ tokens, the model only 64"):
        Policy(Qwen2ForCausalLM(config), tiny_tokenizer())


def test_a_model_that_scales_its_logits_is_refused() -> None:
    tokenizer = tiny_tokenizer()
    config = CohereConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=16,
        logit_scale=0.0625,
        bos_token_id=0,
        eos_token_id=1,
    )
    with pytest.raises(UsageError, match="does more to its logits"):
        Policy(CohereForCausalLM(config), tokenizer)


@pytest.mark.slow
def test_a_gguf_file_loads_as_a_policy(smollm2_folder: Path) -> None:
    policy = Policy.load(smollm2_folder, device="cpu", dtype=torch.bfloat16)
    assert policy.end_ids == {policy.tokenizer.convert_tokens_to_ids("<|im_end|>")}
    assert policy.context == 8192
    prompt = policy.tokenizer.encode("The capital of France is")
    paris, london = (policy.tokenizer.encode(f" {city}") for city in ("Paris", "London"))
    wanted = [[len(prompt)]] * 2
    with torch.no_grad():
        logprobs = policy.logprobs([prompt + paris, prompt + london], wanted)
    assert logprobs[0] > logprobs[1]

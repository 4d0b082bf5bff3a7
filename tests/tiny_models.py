"""Small real models and real ALFWorld texts to test with."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from agentgym.env import env_class
from agentgym.envs.alfworld.experts import Explorer
from agentgym.trainers import tiny
from agentgym.trainers.policy import Policy


@cache
def alfworld_episodes(num_episodes: int, split: str = "gen1/train") -> tuple[tuple[str, ...], ...]:
    """Episodes as texts: the first observation, then action and observation in turn."""
    env = env_class("agentgym/ALFWorld-v0")()
    episodes = []
    for seed, task in enumerate(env.panel(split).tasks[:num_episodes]):
        observation, _ = env.reset(options={"task": task})
        explorer = Explorer(seed=seed)
        explorer.reset(observation)
        texts, ended = [observation.text], False
        while not ended and len(texts) < 100:
            action = explorer.act() if len(texts) != 5 else "eat mug 1"
            observation, _, ended, _, _ = env.step(action)
            explorer.observe(action, observation)
            texts += [action, observation.text]
        episodes.append(tuple(texts))
    return tuple(episodes)


@cache
def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer of 60 train episodes."""
    return tiny.build_tokenizer([text for e in alfworld_episodes(60) for text in e], min_count=3)


def tiny_policy(*, architecture: str = "qwen2", context: int = 256, seed: int = 0) -> Policy:
    """A policy with random weights; its first 40 phrases end an action, so that actions differ."""
    tokenizer = tiny_tokenizer()
    model: Any
    if architecture == "qwen2":
        size = tiny.Size(hidden=64, mlp=128, context=context)
        model = tiny.build_model(tokenizer, size, seed=seed)
    else:
        sizes = {
            "vocab_size": len(tokenizer),
            "hidden_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "intermediate_size": 96,
            "max_position_embeddings": context,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
        }
        model = ARCHITECTURES[architecture](sizes)
    policy = Policy(model, tokenizer)
    policy.end_ids = frozenset(range(260, 300))
    return policy


def _gemma3(sizes: dict[str, Any]) -> PreTrainedModel:
    """Two layers that see 7 tokens, then one that sees all; heads wider than the hidden size."""
    kinds = ["sliding_attention", "sliding_attention", "full_attention"]
    own = {"num_hidden_layers": 3, "num_key_value_heads": 1, "head_dim": 16, "layer_types": kinds}
    return Gemma3ForCausalLM(Gemma3TextConfig(**{**sizes, **own}, sliding_window=7))


def _gemma2(sizes: dict[str, Any]) -> PreTrainedModel:
    """Its attention caps its scores."""
    return Gemma2ForCausalLM(Gemma2Config(**sizes, head_dim=12, final_logit_softcapping=None))


ARCHITECTURES: dict[str, Callable[[dict[str, Any]], PreTrainedModel]] = {
    "llama": lambda sizes: LlamaForCausalLM(LlamaConfig(**sizes)),
    "qwen3": lambda sizes: Qwen3ForCausalLM(
        Qwen3Config(**{**sizes, "num_key_value_heads": 2}, head_dim=16)
    ),
    "gemma3": _gemma3,
    "gemma2": _gemma2,
}
"""Small models of other architectures, by what they are called here."""

"""Small real models and real ALFWorld texts to test with."""

from __future__ import annotations

from functools import cache
from typing import Any

from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

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
        model = tiny.build_model(tokenizer, hidden=64, mlp=128, context=context, seed=seed)
    else:
        assert architecture == "llama"
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=4,
            intermediate_size=96,
            max_position_embeddings=context,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
        model = LlamaForCausalLM(config)
    policy = Policy(model, tokenizer)
    policy.end_ids = frozenset(range(260, 300))
    return policy

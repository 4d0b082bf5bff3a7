"""The local engine against the bare model: `python -m tests.benchmarks.decode [--json]`.

The quickstart's model, 64 rows, one thread. The floor decodes the same rows at the same context
by nothing but `model.forward` with transformers' own cache and an argmax; floor and engine take
turns, and the best of each counts, as other load only slows. The rollout is 64 episodes of 12
turns with observations of 2 to 25 tokens and actions of 1 to 6.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from typing import Any

import torch
from transformers import DynamicCache

from agentgym.engine import Request, Sampler
from agentgym.trainers import tiny
from agentgym.trainers.engines.local import LocalEngine
from agentgym.trainers.policy import Policy
from agentgym.types import EpisodeId

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

NUM_ROWS, CONTEXT, NUM_TOKENS, NUM_ROUNDS = 64, 200, 32, 6
NUM_TURNS = 12
NUM_WORDS = 280
"""Makes a vocabulary as large as the quickstart's."""


def make_policy() -> Policy:
    """The quickstart's model with random weights, in which nothing ends an action early."""
    tokenizer = tiny.build_tokenizer((f"thing {i}" for i in range(NUM_WORDS)), min_count=1)
    policy = Policy(tiny.build_model(tokenizer, tiny.Size(), seed=0), tokenizer)
    policy.end_ids = frozenset()
    return policy


def ask(row: int, ids: list[int], *, turn: int, max_tokens: int) -> Request:
    """A request of one row; a greedy one, as the floor is."""
    episode = EpisodeId(step=0, group=row // 8, member=row % 8)
    return Request(
        episode=episode,
        turn=turn,
        ids=tuple(ids),
        messages=(),
        seed=row,
        max_tokens=max_tokens,
        sampler=Sampler(temperature=0),
    )


def prompts() -> list[list[int]]:
    """`NUM_ROWS` prompts of `CONTEXT` tokens."""
    rng = random.Random(0)
    return [rng.choices(range(4, NUM_WORDS), k=CONTEXT) for _ in range(NUM_ROWS)]


@torch.inference_mode()
def time_bare(policy: Policy) -> float:
    """Tokens per second of the bare model."""
    model: Any = policy.model
    cache = DynamicCache(config=model.config)
    ids = torch.tensor(prompts())
    output = model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    began = time.perf_counter()
    for _ in range(NUM_TOKENS):
        chosen = output.logits[:, -1].argmax(-1, keepdim=True)
        output = model(chosen, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return NUM_ROWS * NUM_TOKENS / (time.perf_counter() - began)


def time_engine(policy: Policy) -> float:
    """Tokens per second of the engine, prompts read beforehand."""
    engine = LocalEngine(policy)

    async def decode(turn: int, texts: list[list[int]], max_tokens: int) -> list[list[int]]:
        requests = [
            ask(row, ids, turn=turn, max_tokens=max_tokens) for row, ids in enumerate(texts)
        ]
        made = await asyncio.gather(*map(engine.generate, requests))
        return [[*ids, *one.ids] for ids, one in zip(texts, made, strict=True)]

    texts = asyncio.run(decode(0, prompts(), 1))
    began = time.perf_counter()
    asyncio.run(decode(1, texts, NUM_TOKENS))
    return NUM_ROWS * NUM_TOKENS / (time.perf_counter() - began)


async def play(engine: LocalEngine, row: int) -> int:
    """One episode; the number of its tokens."""
    rng = random.Random(row)
    ids = rng.choices(range(4, NUM_WORDS), k=rng.randint(30, 60))
    for turn in range(NUM_TURNS):
        request = ask(row, ids, turn=turn, max_tokens=rng.randint(1, 6))
        generation = await engine.generate(request)
        ids += [*generation.ids, *rng.choices(range(4, NUM_WORDS), k=rng.randint(2, 25))]
    engine.release(request.episode)
    return len(request.ids) + len(generation.ids)


def time_rollout(policy: Policy) -> tuple[float, float]:
    """Seconds of a whole rollout, and tokens that the model read for each token there was."""
    engine = LocalEngine(policy)
    num_read = 0

    def count(_: Any, inputs: tuple[torch.Tensor]) -> None:
        nonlocal num_read
        num_read += inputs[0].numel()

    async def together() -> list[int]:
        return await asyncio.gather(*(play(engine, row) for row in range(NUM_ROWS)))

    handle = policy.model.get_input_embeddings().register_forward_pre_hook(count)
    began = time.perf_counter()
    sizes = asyncio.run(together())
    seconds = time.perf_counter() - began
    handle.remove()
    return seconds, num_read / sum(sizes)


def measure() -> Iterator[Row]:
    """All rows."""
    torch.set_num_threads(1)
    policy = make_policy()
    pairs = [(time_engine(policy), time_bare(policy)) for _ in range(NUM_ROUNDS)]
    engine, bare = (max(speeds) for speeds in zip(*pairs, strict=True))
    rollouts = [time_rollout(policy) for _ in range(3)]
    yield Row(what="bare model.forward", value=bare, unit="tokens/s")
    yield Row(what="local engine", value=engine, unit="tokens/s")
    yield Row(what="local engine / bare model", value=engine / bare, unit="ratio", bar=0.6)
    yield Row(
        what="tokens read / new tokens", value=rollouts[0][1], unit="ratio", bar=1.1, better="lower"
    )
    yield Row(
        what=f"rollout, {NUM_ROWS} episodes x {NUM_TURNS} turns",
        value=min(seconds for seconds, _ in rollouts),
        unit="s",
    )


if __name__ == "__main__":
    main("decode", measure)

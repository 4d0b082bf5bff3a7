"""Episodes of random tokens for engines to play: no environment, only requests."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from agentgym.engine import Engine, Generation, Request, Sampler
from agentgym.trainers.policy import Policy
from agentgym.types import EpisodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of one episode."""

    prompts: tuple[tuple[int, ...], ...]
    """What the model saw in each turn."""
    generations: tuple[Generation, ...]


class Slow:
    """The engine of episodes whose environments take their time."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.release = engine.release

    async def generate(self, request: Request) -> Generation:
        await asyncio.sleep(request.seed % 7 / 1000)
        return await self.engine.generate(request)


def ask(
    number: int, ids: Sequence[int], *, turn: int = 0, max_tokens: int = 6, temperature: float = 1.0
) -> Request:
    return Request(
        episode=EpisodeId(step=0, group=number // 4, member=number % 4),
        turn=turn,
        ids=tuple(ids),
        messages=(),
        seed=1000 * number + turn,
        max_tokens=max_tokens,
        sampler=Sampler(temperature=temperature),
    )


async def play(engine: Engine, number: int, *, turns: int, temperature: float) -> Played:
    """An episode whose observations are random tokens, few or many."""
    rng = random.Random(number)
    ids = rng.choices(range(300), k=rng.randint(1, 40))
    prompts, generations = [], []
    for turn in range(turns):
        request = ask(number, ids, turn=turn, temperature=temperature)
        prompts.append(request.ids)
        generations.append(await engine.generate(request))
        ids += [*generations[-1].ids, *rng.choices(range(300), k=rng.randint(1, 20))]
    engine.release(request.episode)
    return Played(prompts=tuple(prompts), generations=tuple(generations))


def play_all(
    engine: Engine, numbers: Iterable[int] = range(12), *, turns: int = 3, temperature: float = 1.0
) -> dict[int, Played]:
    """Episodes at once, begun in the order of `numbers`."""

    async def together() -> dict[int, Played]:
        order = list(numbers)
        played = await asyncio.gather(
            *(play(engine, n, turns=turns, temperature=temperature) for n in order)
        )
        return dict(sorted(zip(order, played, strict=True)))

    return asyncio.run(together())


def said(played: dict[int, Played]) -> dict[int, list[tuple[tuple[int, ...], str]]]:
    """Tokens and finish of every turn."""
    return {n: [(g.ids, g.finish) for g in one.generations] for n, one in played.items()}


def max_gap(first: dict[int, Played], second: dict[int, Played]) -> float:
    """The largest difference between two runs' logprobs."""
    return max(
        abs(a - b)
        for number, one in first.items()
        for g, h in zip(one.generations, second[number].generations, strict=True)
        for a, b in zip(g.logprobs, h.logprobs, strict=True)
    )


@contextmanager
def forward_sizes(policy: Policy) -> Iterator[list[int]]:
    """The number of tokens of every forward meanwhile."""
    sizes: list[int] = []
    embedding: Any = policy.model.get_input_embeddings()
    handle = embedding.register_forward_hook(lambda *args: sizes.append(args[1][0].numel()))
    yield sizes
    handle.remove()

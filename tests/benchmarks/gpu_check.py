"""What a GPU makes of the 1.5B configuration: `make gpu-check`, or
`python -m tests.benchmarks.gpu_check [--json]`.

Random weights, no network: prefill and decode by the local engine, train steps of all weights and
of an adapter with their peak memory against the plan, and the token tree against one sequence at a
time, values and gradients, in bfloat16. Without a GPU it is a configuration of two layers on the
CPU, whose speeds say nothing of a GPU's: what is tried there is the check itself. The first row
says which it was.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from operator import ne
from typing import Any

import torch
import yaml
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM

from agentgym.engine import Engine, Request, Sampler
from agentgym.trainers import config, plan, tiny
from agentgym.trainers.batches import MicroBatch
from agentgym.trainers.build import add_adapter, make_optimizer, recomputes
from agentgym.trainers.engines.local import LocalEngine
from agentgym.trainers.engines.naive import NaiveEngine
from agentgym.trainers.footprint import Footprint
from agentgym.trainers.live_bytes import LiveBytes
from agentgym.trainers.loss import PpoLoss
from agentgym.trainers.pack import TrainSequence
from agentgym.trainers.policy import Policy
from agentgym.trainers.recompute import recompute
from agentgym.trainers.sequences import Sequences
from agentgym.trainers.update import Updater, accumulate
from agentgym.trainers.world import World
from agentgym.types import EpisodeId

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

NAME = "Qwen/Qwen2.5-1.5B-Instruct"
RECIPE = "alfworld-salt-1.5b"
VALUES, GRADIENTS, MEMORY = 0.02, 1.5, 0.1
"""Bars: the mean gap of logprobs; a tree's distance from float32, over that of single sequences;
and how far the peak may be from the plan."""
ALONE = World(rank=0, size=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What is tried."""

    architecture: Any
    device: str
    memory: int | None
    """Bytes that a train step must be planned to fit into; None: it is tried in any case."""
    context: int
    num_episodes: int
    budget: int
    num_sampled: int
    """Tokens that each episode samples."""
    num_compared: int
    """Tokens of each sequence whose values and gradients are compared."""


def on_gpu() -> Size:
    """The 1.5B configuration."""
    known = yaml.safe_load(plan.TABLE.read_text(encoding="utf-8"))
    return Size(
        architecture=AutoConfig.for_model(**known[NAME]),
        device="cuda",
        memory=torch.cuda.get_device_properties("cuda").total_memory,
        context=2048,
        num_episodes=32,
        budget=8192,
        num_sampled=256,
        num_compared=512,
    )


def on_cpu() -> Size:
    """Two layers."""
    architecture = tiny.configuration(_tokenizer(), tiny.Size(hidden=64, layers=2, context=256))
    return Size(
        architecture=architecture,
        device="cpu",
        memory=None,
        context=128,
        num_episodes=8,
        budget=512,
        num_sampled=4,
        num_compared=48,
    )


def _tokenizer() -> Any:
    return tiny.build_tokenizer((f"thing {i}" for i in range(280)), min_count=1)


def measure(size: Size) -> Iterator[Row]:
    """All rows."""
    on_cpu = size.device == "cpu"
    name = "no GPU, two layers on the CPU" if on_cpu else torch.cuda.get_device_name()
    yield Row(what=name, value=(size.memory or 0) / 2**30, unit="GB")
    yield from _agree(size)
    yield from _play(size)
    yield from _compare(size)
    for adapted in (False, True):
        yield from train(size, adapted=adapted)


def _policy(size: Size, dtype: torch.dtype) -> Policy:
    """The same random weights each time."""
    torch.manual_seed(0)
    with torch.device(size.device):
        model = AutoModelForCausalLM.from_config(size.architecture, dtype=torch.float32)
    return Policy(model, _tokenizer(), dtype=dtype)


def _play(size: Size) -> Iterator[Row]:
    """Prompts are read and tokens are sampled."""
    policy = _policy(size, torch.bfloat16)
    policy.end_ids = frozenset()  # every episode samples to its limit
    length = size.context - size.num_sampled
    prompts = _prompts(size.num_episodes, length)
    num_read, num_sampled = size.num_episodes * length, size.num_episodes * (size.num_sampled - 1)
    for static in (False, True):
        engine = LocalEngine(
            policy, context=size.context, max_episodes=size.num_episodes, static_decode=static
        )
        seconds = []
        for max_tokens in (2, 1, size.num_sampled):  # the first one warms up
            engine.reset()
            seconds.append(_seconds(size, partial(_generate, engine, prompts, max_tokens)))
        if not static:
            yield Row(what="prefill", value=num_read / seconds[1], unit="tokens/s")
        decoding = max(seconds[2] - seconds[1], 1e-9)
        what = "decode, static shapes" if static else "decode"
        yield Row(what=what, value=num_sampled / decoding, unit="tokens/s")


def _agree(size: Size) -> Iterator[Row]:
    """What a small model says greedily in float32: many episodes in static shapes, or one alone.

    Slots grow on the way, and then the weights change.
    """
    policy = _policy(replace(size, architecture=on_cpu().architecture), torch.float32)
    for name, parameter in policy.model.named_parameters():
        if name.endswith("bias"):  # zeros at first, which would hide how they are cast
            torch.nn.init.normal_(parameter)
    prompts = [prompt[: 40 + 8 * i] for i, prompt in enumerate(_prompts(16, 160))]
    engine, differing = LocalEngine(policy, static_decode=True), 0
    for factor in (1.0, 1.5):
        with torch.no_grad():
            for parameter in policy.model.parameters():
                parameter.mul_(factor)
        engine.reset()
        many = _generate(engine, prompts, 48)
        alone = _generate(NaiveEngine(policy), prompts, 48)
        differing += sum(map(ne, many, alone))
    yield Row(
        what="decode, static shapes: answers other than alone",
        value=differing, unit="of 32", bar=0, better="lower",
    )  # fmt: skip


def _prompts(count: int, length: int) -> list[tuple[int, ...]]:
    rng = random.Random(0)
    return [tuple(rng.choices(range(4, 260), k=length)) for _ in range(count)]


def _generate(
    engine: Engine, prompts: Sequence[tuple[int, ...]], max_tokens: int
) -> list[tuple[int, ...]]:
    """What is sampled greedily after each prompt."""
    requests = [
        Request(
            episode=EpisodeId(step=0, group=0, member=member),
            turn=0,
            ids=ids,
            messages=(),
            seed=member,
            max_tokens=max_tokens,
            sampler=Sampler(temperature=0),
        )
        for member, ids in enumerate(prompts)
    ]

    async def play() -> list[tuple[int, ...]]:
        return [g.ids for g in await asyncio.gather(*map(engine.generate, requests))]

    return asyncio.run(play())


def _compare(size: Size) -> Iterator[Row]:
    """The tree and single sequences in bfloat16, both held against float32."""
    sequences = _sequences(4, size.num_compared, shared=size.num_compared // 2)
    found = {}
    for name, dtype, as_tree in (
        ("exact", torch.float32, False),
        ("single", torch.bfloat16, False),
        ("tree", torch.bfloat16, True),
    ):
        policy = _policy(size, dtype)
        assert policy.takes_trees
        found[name] = _values(policy, sequences, as_tree=as_tree)
        del policy
        gc.collect()
    gap = (found["tree"][0] - found["single"][0]).abs().mean()
    yield Row(
        what="tree: mean gap of logprobs", value=1e3 * float(gap), unit="thousandth",
        bar=1e3 * VALUES, better="lower",
    )  # fmt: skip
    exact = found["exact"][1]
    apart = {name: float((found[name][1] - exact).norm()) for name in ("single", "tree")}
    yield Row(
        what="gradient of single sequences, off float32",
        value=100 * apart["single"] / float(exact.norm()), unit="%",
    )  # fmt: skip
    yield Row(
        what="gradient of the tree, its distance over theirs",
        value=apart["tree"] / apart["single"], unit="ratio", bar=GRADIENTS, better="lower",
    )  # fmt: skip


def _values(
    policy: Policy, sequences: Sequence[TrainSequence], *, as_tree: bool
) -> tuple[Tensor, Tensor]:
    """Logprobs, and the gradient of their sum in the first and the last layer."""
    size = len(sequences) if as_tree else 1
    logprobs = []
    for low in range(0, len(sequences), size):
        some = sequences[low : low + size]
        batch = MicroBatch(
            members=tuple(range(len(some))),
            ids=tuple(s.ids[:-1] for s in some),
            targets=tuple(tuple(s.ids[i] for i in s.trained) for s in some),
            wanted=tuple(s.trained for s in some),
            as_tree=as_tree,
        )
        part = policy.run(batch)
        part.sum().backward()
        logprobs.append(part.detach())
    body: Any = policy.model.base_model
    parameters = [*body.layers[0].parameters(), *body.layers[-1].parameters()]
    gradient = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
    return torch.cat(logprobs), gradient


def train(size: Size, *, adapted: bool) -> Iterator[Row]:
    """Two train steps; the second, which finds the optimizer's state, is timed and weighed."""
    what = "LoRA" if adapted else "all weights"
    recipe = config.resolve(
        RECIPE,
        {
            "model": {"context": size.context, "live_episodes": size.num_episodes},
            "train": {"micro_batch_tokens": size.budget, "kl": 0.0},
            **({"lora": {"rank": 8}} if adapted else {}),
        },
    )
    footprint = Footprint(size.architecture, recipe.lora)
    planned = plan.Plan(recipe, footprint, num_evaluated=1).memory.update
    if size.memory is not None and planned > (1 - plan.FREE) * size.memory:
        yield Row(what=f"train, {what}: not tried, planned peak", value=planned / 2**30, unit="GB")
        return
    policy = _policy(size, torch.bfloat16)
    if adapted:
        add_adapter(recipe, policy)
    recompute(policy.model, layers=recomputes(recipe, footprint.num_parameters))
    assert policy.takes_trees
    sequences = _sequences(size.num_episodes, size.context, shared=size.context // 2)
    gc.collect()
    on_cpu = size.device == "cpu"
    with LiveBytes(policy.model.parameters()) if on_cpu else nullcontext() as made:
        engine = LocalEngine(policy)  # which holds a copy of the weights
        step = _step(policy, recipe, sequences)
        step()
        if not on_cpu:
            torch.cuda.reset_peak_memory_stats()
        taken = _seconds(size, step)
        del engine
    peak = made.peak if made is not None else torch.cuda.max_memory_allocated()
    tokens = size.num_episodes * size.context
    yield Row(what=f"train, {what}", value=tokens / taken, unit="tokens/s")
    yield Row(what=f"train, {what}: peak", value=peak / 2**30, unit="GB")
    yield Row(
        what=f"train, {what}: peak, off the plan",
        value=100 * abs(planned / peak - 1), unit="%", bar=100 * MEMORY, better="lower",
    )  # fmt: skip


def _step(
    policy: Policy, recipe: config.Recipe, sequences: Sequence[TrainSequence]
) -> Callable[[], None]:
    """An update of the policy."""
    loss = PpoLoss()
    optimizer = make_optimizer(recipe, policy, None)
    wholes = Sequences.of(sequences, loss, policy=policy, world=ALONE)
    updater = Updater(
        policy=policy, reference=None, loss=loss, kl=0.0, budget=recipe.train.token_budget
    )

    def step() -> None:
        accumulate(updater, sequences, wholes)
        optimizer.step()
        optimizer.zero_grad()

    return step


def _sequences(count: int, length: int, *, shared: int) -> list[TrainSequence]:
    """Sequences that share a beginning and all of whose tokens are trained."""
    rng = random.Random(0)
    prefix = rng.choices(range(4, 260), k=shared)
    places, ones = tuple(range(1, length + 1)), (1.0,) * length
    return [
        TrainSequence(
            episode=EpisodeId(step=0, group=0, member=member),
            ids=(*prefix, *rng.choices(range(4, 260), k=length + 1 - shared)),
            trained=places,
            turns=(0,) * length,
            old_logprobs=(-5.0,) * length,
            advantages=ones,
        )
        for member in range(count)
    ]


def _seconds(size: Size, work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    if size.device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def rows() -> Iterator[Row]:
    """Of this machine's GPU, or of the check itself."""
    yield from measure(on_gpu() if torch.cuda.is_available() else on_cpu())


if __name__ == "__main__":
    main("gpu_check", rows)

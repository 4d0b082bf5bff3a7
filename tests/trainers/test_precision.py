"""bfloat16 arithmetic: the weights move as in float32, and what is only read is read the same."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
import torch
from small_runs import small_recipe
from tiny_models import alfworld_episodes, tiny_policy
from torch import Tensor, nn

from agentgym.engine import Generation, Request
from agentgym.trainers import precision
from agentgym.trainers.build import load_policy, make_optimizer
from agentgym.trainers.config import FidelityConfig, Recipe, merge, validate
from agentgym.trainers.engines.local import LocalEngine
from agentgym.trainers.policy import Policy
from agentgym.trainers.run import train
from agentgym.types import EpisodeId

LR = 1e-6


def with_dtype(recipe: Recipe, dtype: str) -> Recipe:
    return validate(merge(recipe.model_dump(mode="json"), {"model": {"dtype": dtype}}))


def texts(*, count: int) -> tuple[list[list[int]], list[list[int]]]:
    """Random sequences, and the second half of each to predict."""
    rng = random.Random(0)
    ids = [rng.choices(range(4, 60), k=rng.randint(20, 40)) for _ in range(count)]
    return ids, [list(range(len(one) // 2, len(one))) for one in ids]


def moved(policy: Policy, optimizer: torch.optim.Optimizer) -> Tensor:
    """How 50 steps move the weights, all in one row."""
    ids, wanted = texts(count=6)
    weights = torch.linspace(-1, 1, sum(map(len, wanted)))
    start = torch.cat([p.detach().flatten().double() for p in policy.model.parameters()])
    for _ in range(50):
        loss = -(weights * policy.logprobs(ids, wanted)).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    end = torch.cat([p.detach().flatten().double() for p in policy.model.parameters()])
    return end - start


def test_fifty_steps_in_bfloat16_move_the_weights_as_in_float32(corridor_model: Path) -> None:
    moves = {}
    for dtype in ("float32", "bfloat16"):
        recipe = with_dtype(small_recipe(corridor_model, train={"lr": LR}), dtype)
        policy = load_policy(recipe, str(corridor_model))
        moves[dtype] = moved(policy, make_optimizer(recipe, policy, None))
        assert {p.dtype for p in policy.model.parameters()} == {torch.float32}
    distance = moves["float32"].norm()
    assert float(moves["bfloat16"].norm() / distance) == pytest.approx(1, abs=0.05)
    # The same way, too: gradients near zero may differ in sign, which Adam blows up.
    assert float(moves["bfloat16"] @ moves["float32"] / distance**2) > 0.95


def test_weights_in_bfloat16_would_hardly_move(corridor_model: Path) -> None:
    """What the test above must be able to tell apart."""
    policy = Policy.load(corridor_model, device="cpu")
    expected = moved(policy, torch.optim.AdamW(policy.model.parameters(), lr=LR)).norm()
    policy = Policy.load(corridor_model, device="cpu")
    for parameter in policy.model.parameters():
        parameter.data = parameter.data.to(torch.bfloat16)
    found = moved(policy, torch.optim.AdamW(policy.model.parameters(), lr=LR)).norm()
    assert found < 0.5 * expected


def as_published(folder: Path, dtype: torch.dtype) -> Policy:
    """A model whose linear layers' weights are bfloat16's, to compute in this dtype."""
    policy = Policy.load(folder, device="cpu", dtype=dtype)
    for parameter in of_linears(policy):
        parameter.data = parameter.data.bfloat16().float()
    return policy


def of_linears(policy: Policy) -> list[nn.Parameter]:
    """Weights and biases."""
    return [p for linear in precision.linears(policy.model) for p in linear.parameters()]


def row(policy: Policy, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """Weights and biases of the linear layers, by default as they are read."""
    return torch.cat([p.detach().to(dtype).flatten().double() for p in of_linears(policy)])


@pytest.mark.parametrize(("dithered", "low", "high"), [(True, 0.95, 1.05), (False, 0, 0.5)])
def test_fifty_steps_move_what_is_read_of_a_published_model(
    corridor_model: Path, dithered: bool, low: float, high: float
) -> None:
    exact = as_published(corridor_model, torch.float32)
    before = row(exact, torch.float32)
    moved(exact, torch.optim.AdamW(exact.model.parameters(), lr=LR, weight_decay=0.0))
    expected = row(exact, torch.float32) - before
    policy = as_published(corridor_model, torch.bfloat16)
    if dithered:
        precision.dither(policy.model, torch.bfloat16, seed=0)
    start = row(policy)
    moved(policy, torch.optim.AdamW(policy.model.parameters(), lr=LR, weight_decay=0.0))
    # How far it went in float32's direction; what rounding adds has none.
    along = (row(policy) - start) @ expected / expected.norm() ** 2
    assert low < float(along) < high


def test_dithering_changes_no_number(corridor_model: Path) -> None:
    policy, ids = as_published(corridor_model, torch.bfloat16), texts(count=8)
    first = next(iter(precision.linears(policy.model))).weight.data[0]
    first[:6] = torch.tensor([0.0, -0.0, 1.0, -1.0, 2.0**-20, -(2.0**-20)])
    with torch.no_grad():
        expected, read = policy.logprobs(*ids), row(policy)
        weights = [p.detach().clone() for p in of_linears(policy)]
        precision.dither(policy.model, torch.bfloat16, seed=0)
        assert torch.equal(row(policy), read)
        assert torch.equal(policy.logprobs(*ids), expected)
        for parameter, weight in zip(of_linears(policy), weights, strict=True):
            assert float((parameter != weight).double().mean()) > 0.99
        # Not twice: these weights count as trained, save the few that nothing was added to.
        spread = row(policy, torch.float32)
        precision.dither(policy.model, torch.bfloat16, seed=1)
        assert float((row(policy, torch.float32) == spread).double().mean()) > 0.99


def test_float32_is_left_as_it_is(corridor_model: Path) -> None:
    policy = as_published(corridor_model, torch.float32)
    weights = [p.detach().clone() for p in policy.model.parameters()]
    precision.dither(policy.model, policy.dtype, seed=0)
    assert all(map(torch.equal, policy.model.parameters(), weights))


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3", "llama"])
def test_a_frozen_policy_and_a_reading_copy_say_the_same_to_the_last_bit(architecture: str) -> None:
    plain = tiny_policy(architecture=architecture)
    policy = Policy(plain.model, plain.tokenizer, dtype=torch.bfloat16)
    ids, wanted = texts(count=8)
    with torch.no_grad():
        exact = plain.logprobs(ids, wanted)
        expected = policy.logprobs(ids, wanted)
        assert 0 < (exact - expected).abs().max() < 0.1  # it is bfloat16
        reader = policy.reading_copy()
        assert torch.equal(reader.logprobs(ids, wanted), expected)
        for parameter in policy.model.parameters():
            parameter.mul_(1.1)
        reader.refresh(policy)
        changed = policy.logprobs(ids, wanted)
        assert not torch.equal(changed, expected)
        assert torch.equal(reader.logprobs(ids, wanted), changed)
        assert all(p.requires_grad for p in policy.model.parameters())
        before = num_bytes(policy)
        policy.freeze()
        assert torch.equal(policy.logprobs(ids, wanted), changed)
    head = policy.model.get_output_embeddings()
    linears = [
        m for m in policy.model.modules() if isinstance(m, torch.nn.Linear) and m is not head
    ]
    assert num_bytes(policy) == before - sum(2 * linear.weight.numel() for linear in linears)


def num_bytes(policy: Policy) -> int:
    """Of all weights, shared ones once."""
    return sum(p.numel() * p.element_size() for p in policy.model.parameters())


def test_the_engine_samples_in_bfloat16_what_the_policy_scores(corridor_model: Path) -> None:
    policy = Policy.load(corridor_model, device="cpu", dtype=torch.bfloat16)
    engine = LocalEngine(policy)
    request = Request(
        episode=EpisodeId(step=0, group=0, member=0),
        turn=0,
        ids=tuple(texts(count=1)[0][0]),
        messages=(),
        seed=1,
        max_tokens=20,
    )
    said = asyncio.run(engine.generate(request))
    whole, size = [*request.ids, *said.ids], len(request.ids)
    with torch.no_grad():
        scored = policy.logprobs([whole], [range(size, len(whole))])
    assert torch.allclose(scored, torch.tensor(said.logprobs), atol=0.05)
    assert engine._slots.dtype == torch.bfloat16


@pytest.mark.slow
def test_a_pretrained_model_in_bfloat16_keeps_within_the_thresholds(smollm2_folder: Path) -> None:
    # On 144 tokens (6 prompts) the mean gap was 0.0134 with the head in float32 and 0.0319 with it
    # in bfloat16; none and 0.7 % of the ratios were far.
    policy = Policy.load(smollm2_folder, device="cpu", dtype=torch.bfloat16)
    prompts = ["\n".join(episode[:5]) for episode in alfworld_episodes(2)]
    requests = [
        Request(
            episode=EpisodeId(step=0, group=0, member=member),
            turn=0,
            ids=tuple(policy.tokenizer.encode(prompt)[: 40 + 7 * member]),
            messages=(),
            seed=member,
            max_tokens=16,
        )
        for member, prompt in enumerate(prompts)
    ]
    engine = LocalEngine(policy)

    async def play() -> list[Generation]:
        return await asyncio.gather(*map(engine.generate, requests))

    said = asyncio.run(play())
    wholes = [[*asked.ids, *got.ids] for asked, got in zip(requests, said, strict=True)]
    wanted = [
        range(len(asked.ids), len(whole)) for asked, whole in zip(requests, wholes, strict=True)
    ]
    sampled = torch.tensor([logprob for got in said for logprob in got.logprobs])
    with torch.no_grad():
        gaps = policy.logprobs(wholes, wanted) - sampled
    limits = FidelityConfig()
    assert float(gaps.abs().mean()) <= limits.max_mean_logprob_gap
    far = (gaps.exp() < 0.8) | (gaps.exp() > 1.2)
    assert float(far.float().mean()) <= limits.max_far_ratios


def test_a_run_in_bfloat16_trains_float32_weights(corridor_model: Path, tmp_path: Path) -> None:
    published = as_published(corridor_model, torch.bfloat16)
    published.save(tmp_path / "published")
    recipe = small_recipe(
        tmp_path / "published",
        train={"steps": 1, "kl": 0.01, "lr": 1e-6},
        eval={"tasks": 1},
    )
    result = train(with_dtype(recipe, "bfloat16"), out=tmp_path / "run")
    assert result.report is not None
    fidelity = result.report["fidelity"]
    assert fidelity["tokens_trained"] > 0
    assert fidelity["mean_logprob_gap"] < 0.02
    assert fidelity["far_ratios"] < 0.01
    last = Policy.load(tmp_path / "run" / "checkpoints" / "step-000001", device="cpu")
    first = Policy.load(tmp_path / "run" / "checkpoints" / "step-000000", device="cpu")
    assert torch.equal(row(first), row(published))
    assert not torch.equal(row(first, torch.float32), row(published))
    pairs = zip(first.model.parameters(), last.model.parameters(), strict=True)
    share = sum(float((a != b).float().mean()) for a, b in pairs)
    assert share / len(list(first.model.parameters())) > 0.9

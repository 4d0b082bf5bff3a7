"""What is computed again: the same gradients, fewer bytes kept, nothing else changed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import small_recipe
from tiny_models import tiny_policy
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from transformers import PreTrainedModel
from transformers.models.llama.modeling_llama import LlamaMLP

from agentgym.engine import Request
from agentgym.errors import UsageError
from agentgym.trainers.build import load_policy, recomputes
from agentgym.trainers.engines.local import LocalEngine
from agentgym.trainers.policy import Policy
from agentgym.trainers.recompute import recompute
from agentgym.types import EpisodeId


def sequences() -> tuple[list[list[int]], list[range]]:
    """Two that share 30 tokens, two that share nothing."""
    shared = list(range(4, 34))
    ids = [[*shared, *range(40, 60)], [*shared, *range(70, 100)], [5] * 40, list(range(9, 60))]
    return ids, [range(len(one) // 2, len(one)) for one in ids]


def gradients(policy: Policy) -> tuple[Tensor, list[Tensor], int]:
    """Values, gradients, and the bytes that the backward pass was left."""
    kept = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    ids, wanted = sequences()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logprobs = policy.logprobs(ids, wanted)
    found = torch.autograd.grad(logprobs.sum(), list(policy.model.parameters()))
    return logprobs.detach(), list(found), sum(kept.values())


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3", "llama", "gemma3"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_are_the_same_and_less_is_kept(architecture: str, dtype: torch.dtype) -> None:
    plain = tiny_policy(architecture=architecture)
    policy = Policy(plain.model, plain.tokenizer, dtype=dtype)
    values, expected, size = gradients(policy)
    recompute(policy.model, layers=True)
    again, found, less = gradients(policy)
    assert torch.equal(again, values)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    assert less < 0.75 * size
    assert policy.takes_trees


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3", "llama", "gemma3"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_without_products_all_numbers_are_the_same(architecture: str, dtype: torch.dtype) -> None:
    plain = tiny_policy(architecture=architecture)
    policy = Policy(plain.model, plain.tokenizer, dtype=dtype)
    values, expected, size = gradients(policy)
    recompute(policy.model, layers=False)
    again, found, less = gradients(policy)
    assert torch.equal(again, values)
    assert all(map(torch.equal, found, expected))
    # Two of four arrays as wide as an MLP; weights in bfloat16 are kept, too.
    assert less < 0.95 * size


def test_no_product_of_matrices_is_computed_again() -> None:
    policy = tiny_policy(architecture="llama")
    operations(policy)  # the first pass also finds out whether the model takes trees
    before = operations(policy)
    recompute(policy.model, layers=False)
    assert operations(policy) == before
    recompute(policy.model, layers=True)
    assert operations(policy) > before


def operations(policy: Policy) -> int:
    """Multiplications and additions of the matrices in a forward and backward pass."""
    with FlopCounterMode(display=False) as found:
        policy.logprobs(*sequences()).sum().backward()
    return int(found.get_total_flops())


def test_an_mlp_that_computes_something_else_is_left_alone() -> None:
    class Louder(LlamaMLP):
        def forward(self, x: Tensor) -> Any:
            return self.down_proj(2 * self.act_fn(self.gate_proj(x)) * self.up_proj(x))

    model = tiny_policy(architecture="llama").model
    gated = [module for module in model.modules() if isinstance(module, LlamaMLP)]
    for mlp in gated[1:]:
        mlp.__class__ = Louder
    recompute(model, layers=False)
    assert ["forward" in vars(mlp) for mlp in gated] == [True, False]


def test_playing_is_as_before() -> None:
    policy = tiny_policy()
    request = Request(
        episode=EpisodeId(step=0, group=0, member=0),
        turn=0,
        ids=tuple(range(4, 30)),
        messages=(),
        seed=1,
        max_tokens=20,
    )
    before = asyncio.run(LocalEngine(policy).generate(request))
    recompute(policy.model, layers=False)
    recompute(policy.model, layers=True)
    assert asyncio.run(LocalEngine(policy).generate(request)) == before


def test_it_is_on_where_the_model_is_large_unless_a_recipe_decides(corridor_model: Path) -> None:
    recipe = small_recipe(corridor_model)
    assert [recomputes(recipe, n) for n in (10**8, 5 * 10**8, 5 * 10**8 + 1)] == [
        False,
        False,
        True,
    ]
    assert recomputes(small_recipe(corridor_model, train={"recompute": True}), 1)
    assert not recomputes(small_recipe(corridor_model, train={"recompute": False}), 10**10)


def test_a_recipe_switches_it_on(corridor_model: Path) -> None:
    sizes = []
    for choice in (False, True):
        recipe = small_recipe(corridor_model, train={"recompute": choice})
        sizes.append(gradients(load_policy(recipe, str(corridor_model)))[2])
    assert sizes[1] < 0.75 * sizes[0]


def test_a_model_without_marked_layers_is_refused() -> None:
    class Plain(PreTrainedModel):
        _supports_sdpa = True

        def __init__(self) -> None:
            super().__init__(tiny_policy().model.config)

    with pytest.raises(UsageError, match="Plain has no layers that transformers marks"):
        recompute(Plain(), layers=True)

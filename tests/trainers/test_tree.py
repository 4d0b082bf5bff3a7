"""A token tree against its sequences one at a time: structure, attention, values and gradients."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import tiny_policy
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from agentgym.trainers import attention, batches, tree
from agentgym.trainers.policy import Policy
from agentgym.trainers.tree import CHUNK, TokenTree, depth_first, split_rows
from oracles.tree_attention import causal_attention

CPU = torch.device("cpu")
FAMILIES = ("qwen2", "llama", "qwen3", "gemma3")

texts = st.lists(
    st.lists(st.integers(0, 2), min_size=1, max_size=12).map(tuple), min_size=1, max_size=8
)
"""Three tokens only, so that prefixes are shared, doubled and contained in each other."""


def tree_of(sequences: Sequence[Sequence[int]]) -> tuple[TokenTree, list[int]]:
    order = depth_first(sequences)
    return TokenTree([sequences[i] for i in order], device=CPU), order


@settings(max_examples=500)
@given(texts)
def test_every_prefix_is_one_node(sequences: list[tuple[int, ...]]) -> None:
    tree, order = tree_of(sequences)
    assert sorted(order) == list(range(len(sequences)))
    prefixes = {ids[: n + 1] for ids in sequences for n in range(len(ids))}
    assert len(tree) == len(prefixes)
    for index, path in zip(order, tree.paths, strict=True):
        assert tree.token_ids[0][path].tolist() == list(sequences[index])
        assert tree.position_ids[0][path].tolist() == list(range(len(sequences[index])))


@settings(max_examples=300)
@given(texts, st.integers(1, 30))
def test_rows_hold_every_sequence_once_and_fit_their_budget(
    sequences: list[tuple[int, ...]], budget: int
) -> None:
    rows = list(split_rows(sequences, depth_first(sequences), budget=budget))
    assert sorted(i for row, _ in rows for i in row) == list(range(len(sequences)))
    for row, size in rows:
        assert len(TokenTree([sequences[i] for i in row], device=CPU)) == size
        assert size <= budget or len(row) == 1


def test_the_longest_way_comes_first_and_a_doubled_sequence_adds_nothing() -> None:
    # The root's branches are 7 (longest) and 8; behind 7 0, the long branch 1 before 2 and 0.
    sequences = [(8,), (7, 0, 0), (7, 0, 2, 2), (7, 0, 1, 1, 1), (7, 0, 2, 2)]
    tree, order = tree_of(sequences)
    assert [sequences[i] for i in order] == [
        (7, 0, 1, 1, 1),
        (7, 0, 2, 2),
        (7, 0, 2, 2),
        (7, 0, 0),
        (8,),
    ]
    assert tree.token_ids.tolist() == [[7, 0, 1, 1, 1, 2, 2, 0, 8]]
    assert tree.position_ids.tolist() == [[0, 1, 2, 3, 4, 2, 3, 2, 0]]
    assert [path.tolist() for path in tree.paths] == [
        [0, 1, 2, 3, 4],
        [0, 1, 5, 6],
        [0, 1, 5, 6],
        [0, 1, 7],
        [8],
    ]


def check_attention(sequences: Sequence[Sequence[int]], window: int | None) -> None:
    tree, _ = tree_of(sequences)
    rng = np.random.default_rng(len(tree))
    query, key, value = (rng.normal(size=(len(tree), heads, 3)) for heads in (4, 2, 2))
    given_1NTD = [torch.from_numpy(part).transpose(0, 1)[None] for part in (query, key, value)]
    attended = tree(0, *given_1NTD, scaling=0.7, window=window)
    assert attended.shape == (1, len(tree), 4, 3)
    for path in tree.paths:
        expected = causal_attention(query[path], key[path], value[path], scaling=0.7, window=window)
        assert np.allclose(attended[0, path].numpy(), expected, atol=1e-9)


@settings(max_examples=200, deadline=None)
@given(texts, st.none() | st.integers(1, 12))
def test_every_node_attends_to_its_own_path(
    sequences: list[tuple[int, ...]], window: int | None
) -> None:
    check_attention(sequences, window)


@pytest.mark.parametrize("window", [None, 5, CHUNK])
def test_paths_longer_than_a_chunk_attend_likewise(window: int | None) -> None:
    rng = random.Random(0)
    trunk = rng.choices(range(9), k=CHUNK + 20)
    branches = [[*trunk[:40], *rng.choices(range(9), k=CHUNK + 9)], [*trunk[:90], 9], [*trunk, 9]]
    check_attention([trunk, *branches, [9, 9]], window)


def test_small_branches_share_an_attention_call() -> None:
    trunk = list(range(CHUNK + 20))
    sequences = [[*trunk, 0, 1], *([*trunk[:n], 0, 1] for n in range(20, CHUNK, 20))]
    tree, _ = tree_of(sequences)
    tree(0, *(torch.zeros(1, 1, len(tree), 4) for _ in range(3)), scaling=1.0, window=None)
    (plan,) = tree._plans.values()
    assert len(plan.bundles) == 2
    assert plan.bundles[0].mask_QL is None


def test_a_gpus_way_with_masks_gives_the_same_and_asks_for_no_groups_of_heads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []

    def attend(query: Tensor, key: Tensor, value: Tensor, **settings: Any) -> Tensor:
        if settings["attn_mask"] is not None:
            asked.append((query, key, value, settings["attn_mask"]))
        return scaled_dot_product_attention(query, key, value, **settings)

    def alike(query: Tensor, key: Tensor, value: Tensor, **settings: Any) -> Tensor:
        assert query.shape[1] == key.shape[1] == value.shape[1]
        return scaled_dot_product_attention(query, key, value, **settings)

    monkeypatch.setattr(tree, "scaled_dot_product_attention", attend)
    check_attention([[1, 2, 3, 4, 5], [1, 2, 6, 7], [1, 8, 9]], None)
    monkeypatch.setattr(tree, "scaled_dot_product_attention", alike)
    assert asked
    for *states, mask in asked:
        assert mask.stride(0) % 8 == 0  # else it would be copied in every layer
        query, key, value = (state.detach().requires_grad_() for state in states)
        expected = scaled_dot_product_attention(
            query, key, value, attn_mask=mask, scale=0.7, enable_gqa=True
        )
        found = tree.attend_grouped(query, key, value, mask, scaling=0.7)
        weights = torch.randn_like(expected)
        one, other = (
            torch.autograd.grad((weights * each).sum(), (query, key, value))
            for each in (expected, found)
        )
        for a, b in zip((expected, *one), (found, *other), strict=True):
            assert torch.allclose(a, b, atol=1e-9)


def test_cudnn_which_plans_anew_for_every_shape_is_off() -> None:
    attention.install(tiny_policy().model)
    assert not torch.backends.cuda.cudnn_sdp_enabled()


def mixed(seed: int) -> tuple[list[list[int]], list[list[int]]]:
    """A group with much in common, single-token branches, doubles, and strangers."""
    rng = random.Random(seed)
    trunk = rng.choices(range(300), k=50)
    ids = [[*trunk[: rng.randint(20, 50)], *rng.choices(range(300), k=20)] for _ in range(6)]
    ids += [[*trunk[:n], 300] for n in (10, 11, 12)] + [trunk[:30], [*ids[0], 5], [*ids[0], 5]]
    ids += [rng.choices(range(300), k=k) for k in (2, 60)]
    wanted = [sorted(rng.sample(range(1, len(s)), k=rng.randint(1, len(s) - 1))) for s in ids]
    # The doubled sequence: both want the same tokens, each with a weight of its own.
    wanted[-4] = wanted[-3] = [3, len(ids[0])]
    return ids, wanted


def naive(policy: Policy, ids: Sequence[int], wanted: Sequence[int]) -> Tensor:
    """The logprobs of one sequence from the whole model's logits."""
    model: Any = policy.model
    logits = model(torch.tensor([ids])).logits[0].float().log_softmax(-1)
    return torch.stack([logits[position - 1, ids[position]] for position in wanted])


def assert_as_naive(
    policy: Policy, ids: list[list[int]], wanted: list[list[int]], *, budget: int
) -> None:
    """Trees give the values and the gradients of one sequence at a time."""
    weights = torch.linspace(-1, 1, sum(map(len, wanted)))
    expected = torch.cat([naive(policy, s, w) for s, w in zip(ids, wanted, strict=True)])
    parameters = list(policy.model.parameters())
    expected_grads = torch.autograd.grad((weights * expected).sum(), parameters)
    found = torch.full_like(expected, torch.nan)
    firsts = np.cumsum([0, *map(len, wanted)])
    loss = torch.zeros(())
    for planned in policy.plan(ids, wanted, budget=budget):
        batch = replace(planned, as_tree=True)
        where = [n for i in batch.members for n in range(firsts[i], firsts[i + 1])]
        logprobs = policy.run(batch)
        found[where] = logprobs.detach()
        loss = loss + (weights[where] * logprobs).sum()
    assert torch.allclose(found, expected, atol=1e-5)
    grads = torch.autograd.grad(loss, parameters)
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        # fp32 sums of a few hundred terms in another order.
        assert torch.allclose(grad, expected_grad, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("budget", [1, 100, 8192])
@pytest.mark.parametrize("family", FAMILIES)
def test_values_and_gradients_are_those_of_one_sequence_at_a_time(family: str, budget: int) -> None:
    policy = tiny_policy(architecture=family)
    assert policy.takes_trees
    ids, wanted = mixed(seed=budget)
    assert_as_naive(policy, ids, wanted, budget=budget)


@pytest.mark.parametrize("family", FAMILIES)
def test_sequences_without_a_common_prefix_are_the_same_too(family: str) -> None:
    rng = random.Random(3)
    ids = [[first, *rng.choices(range(300), k=first)] for first in range(1, 40, 7)]
    wanted = [[*range(1, len(s))] for s in ids]
    assert_as_naive(tiny_policy(architecture=family), ids, wanted, budget=8192)


def test_layers_with_a_window_ask_for_it() -> None:
    # Else the sliding layers of the tests above would prove nothing.
    model = tiny_policy(architecture="gemma3").model
    assert attention.install(model) == {7}
    assert attention.install(tiny_policy().model) == frozenset()


def test_a_model_that_caps_its_attention_is_scored_plainly_with_the_same_numbers() -> None:
    policy = tiny_policy(architecture="gemma2")
    before = policy.model.config._attn_implementation
    assert not policy.takes_trees
    assert policy.model.config._attn_implementation == before
    ids, wanted = mixed(seed=5)
    assert not any(batch.as_tree for batch in policy.plan(ids, wanted))
    assert_as_naive(policy, ids, wanted, budget=500)


def test_trees_are_used_where_sequences_share_and_only_there() -> None:
    policy = tiny_policy()
    rng = random.Random(0)
    strangers = [rng.choices(range(300), k=50) for _ in range(8)]
    group = [[*strangers[0], member, *rng.choices(range(300), k=9)] for member in range(8)]
    wanted = [[49]] * 8
    assert not any(batch.as_tree for batch in policy.plan(strangers, wanted))
    deep = [[59]] * 8
    planned = list(policy.plan(group, deep))
    assert [batch.as_tree for batch in planned] == [True]
    # 59 tokens each in 8 rows; 50 shared ones and 9 of each of the 8 in a tree.
    nodes = len(TokenTree(planned[0].ids, device=CPU))
    assert nodes == 50 + 8 * 9
    assert 8 * 59 / nodes > batches.MIN_SHARING
    assert list(policy.plan(group, [[]] * 8)) == []


def test_a_score_in_trees_is_the_score_in_padded_rows() -> None:
    policy = tiny_policy()
    ids, wanted = mixed(seed=7)
    logprobs = policy.logprobs(ids, wanted, budget=150)
    assert all(batch.as_tree for batch in policy.plan(ids, wanted, budget=150))
    expected = torch.cat([naive(policy, s, w) for s, w in zip(ids, wanted, strict=True)])
    assert torch.allclose(logprobs, expected, atol=1e-5)
    policy.takes_trees = False
    plain = policy.logprobs(ids, wanted, budget=150)
    assert torch.allclose(logprobs, plain, atol=1e-5)

"""A plan against what real tensors take, and what it says of the recipes that ship."""

from __future__ import annotations

import asyncio
import copy
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import ALONE, small_recipe
from tiny_models import tiny_policy
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3MoeConfig,
)

from agentgym.cli import main
from agentgym.engine import Request
from agentgym.errors import UsageError
from agentgym.trainers.build import Panels, add_adapter, keeps_reference, make_optimizer
from agentgym.trainers.config import Recipe, merge, recipe_names, resolve, validate
from agentgym.trainers.engines.local import LocalEngine
from agentgym.trainers.footprint import Footprint
from agentgym.trainers.live_bytes import LiveBytes
from agentgym.trainers.loss import PpoLoss
from agentgym.trainers.pack import TrainSequence
from agentgym.trainers.plan import Plan, advise, architecture, settle
from agentgym.trainers.policy import Policy
from agentgym.trainers.recompute import recompute
from agentgym.trainers.sequences import Sequences
from agentgym.trainers.show_plan import read_size
from agentgym.trainers.update import Updater, accumulate
from agentgym.types import EpisodeId

CONTEXT = 256


def recipe_with(**changes: dict[str, Any]) -> Recipe:
    """A recipe of full episodes."""
    fixed = {"model": {"context": CONTEXT}, "train": {"micro_batch_tokens": 8 * CONTEXT}}
    plain = small_recipe("tiny").model_dump(mode="json")
    return validate(merge(merge(plain, fixed), changes))


def full(*, count: int, length: int, shared: int) -> list[TrainSequence]:
    """Sequences all of whose tokens are trained."""
    rng = random.Random(0)
    prefix = rng.choices(range(4, 200), k=shared)
    found = []
    for member in range(count):
        ids = (*prefix, *rng.choices(range(4, 200), k=length + 1 - shared))
        places = tuple(range(1, length + 1))
        zeros = (0.0,) * length
        found.append(
            TrainSequence(
                episode=EpisodeId(step=0, group=0, member=member),
                ids=ids,
                trained=places,
                turns=(0,) * length,
                old_logprobs=zeros,
                advantages=zeros,
            )
        )
    return found


def measured_update(policy: Policy, recipe: Recipe, sequences: Sequence[TrainSequence]) -> float:
    """The peak of the second update, which finds the optimizer's state."""
    reference = None
    held: list[Tensor] = list(policy.model.parameters())
    if keeps_reference(recipe) and recipe.lora is not None:
        reference = policy.without_adapter()
    elif keeps_reference(recipe):
        reference = Policy(
            AutoModelForCausalLM.from_config(policy.model.config),
            policy.tokenizer,
            dtype=policy.dtype,
        )
        reference.freeze()
        held += reference.model.parameters()
    loss = PpoLoss()
    updater = Updater(
        policy=policy,
        reference=reference,
        loss=loss,
        kl=recipe.train.kl,
        budget=recipe.train.token_budget,
    )
    optimizer = make_optimizer(recipe, policy, None)
    assert policy.takes_trees
    wholes = Sequences.of(sequences, loss, policy=policy, world=ALONE)
    with LiveBytes(held) as made:
        engine = LocalEngine(policy)  # which holds a copy of the weights, where it needs one
        for _ in range(2):
            assert accumulate(updater, sequences, wholes).num_splits == 0
            optimizer.step()
            optimizer.zero_grad()
        del engine
    return float(made.peak)


BRANCHED = CONTEXT // 2


@pytest.mark.parametrize(
    ("shared", "changes"),
    [
        (0, {}),
        (BRANCHED, {}),
        (BRANCHED, {"train": {"recompute": True}}),
        (0, {"train": {"kl": 0.1}}),
        (BRANCHED, {"model": {"dtype": "bfloat16"}, "train": {"kl": 0.1, "recompute": True}}),
        (BRANCHED, {"lora": {"rank": 8}, "model": {"dtype": "bfloat16"}, "train": {"kl": 0.1}}),
    ],
)
def test_an_update_takes_the_memory_that_was_planned(shared: int, changes: dict[str, Any]) -> None:
    recipe = recipe_with(**changes)
    plain = tiny_policy(context=CONTEXT)
    policy = Policy(plain.model, plain.tokenizer, dtype=getattr(torch, recipe.model.dtype))
    plan = Plan(recipe, Footprint(policy.model.config, recipe.lora), num_evaluated=4)
    if recipe.lora is not None:
        add_adapter(recipe, policy)
    recompute(policy.model, layers=recipe.train.recompute is True)
    sequences = full(count=16, length=CONTEXT, shared=shared)
    found = measured_update(policy, recipe, sequences)
    assert plan.memory.update == pytest.approx(found, rel=0.1)


def test_each_more_of_many_layers_alike_adds_the_same() -> None:
    config = copy.deepcopy(tiny_policy(context=CONTEXT).model.config)
    config.num_hidden_layers, config.layer_types = 7, 7 * config.layer_types[:1]
    footprint, dtype = Footprint(config), torch.bfloat16
    for layers in (False, True):
        before, with_logits, after = footprint._pass_to_train(dtype, layers, 1, 64)
        found = footprint.train(dtype, layers=layers, rows=1, length=64)
        assert found == (max(before, after), max(0, with_logits - max(before, after)))
    assert footprint.read(dtype, rows=4, length=64) == footprint._pass_to_read(dtype, 4, 64)


def test_layers_that_differ_are_all_measured() -> None:
    """As of a mixture of experts whose last layer has none."""
    size: Any = {"hidden_size": 16, "num_attention_heads": 2, "num_key_value_heads": 2}
    size |= {"num_hidden_layers": 7, "num_experts": 2, "vocab_size": 32}
    for dense, found in (([], 16 + 3 * 7), ([6], 7 * 7)):
        footprint = Footprint(Qwen3MoeConfig(**size, mlp_only_layers=dense))
        assert footprint._measured(lambda few: (few.config.num_hidden_layers**2,)) == (found,)


def test_a_large_vocabulary_is_planned_in_chunks_and_all_logits_would_be_beyond_it() -> None:
    """300 rows of 100,000 logits are two chunks."""
    config = Qwen2Config(
        vocab_size=100_000,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=16,
    )

    class Whole(Policy):
        """Makes all logits at once."""

        def _score_hidden(self, hidden_WH: Tensor, targets: list[int]) -> Tensor:
            return self._score_tokens(hidden_WH, torch.tensor(targets))

    recipe = recipe_with(train={"micro_batch_tokens": 300}, model={"context": 300})
    plan = Plan(recipe, Footprint(config), num_evaluated=4)
    sequences = full(count=1, length=300, shared=0)
    tokenizer = tiny_policy().tokenizer
    found = measured_update(Policy(Qwen2ForCausalLM(config), tokenizer), recipe, sequences)
    assert plan.memory.update == pytest.approx(found, rel=0.1)
    assert plan.memory.logits > plan.memory.activations
    planted = measured_update(Whole(Qwen2ForCausalLM(config), tokenizer), recipe, sequences)
    assert planted > 1.1 * plan.memory.update


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_play_takes_the_memory_that_was_planned(dtype: str) -> None:
    recipe = recipe_with(model={"dtype": dtype}, train={"tasks_per_step": 8})
    plain = tiny_policy(context=CONTEXT)
    policy = Policy(plain.model, plain.tokenizer, dtype=getattr(torch, dtype))
    policy.end_ids = frozenset()
    plan = Plan(recipe, Footprint(policy.model.config), num_evaluated=4)
    assert (plan.episodes, plan.live) == (32, 32)
    rng = random.Random(0)
    requests = [
        Request(
            episode=EpisodeId(step=0, group=0, member=member),
            turn=0,
            ids=tuple(rng.choices(range(4, 200), k=CONTEXT - 4)),
            messages=(),
            seed=member,
            max_tokens=4,
        )
        for member in range(32)
    ]

    async def play(engine: LocalEngine) -> None:
        await asyncio.gather(*map(engine.generate, requests))

    with LiveBytes(policy.model.parameters()) as made:
        engine = LocalEngine(policy, context=CONTEXT)
        asyncio.run(play(engine))
        peak = made.peak
        for request in requests:
            engine.release(request.episode)
        # Nothing of the pool is left for an update to stumble over.
        assert made.live < peak - plan.memory.kv_pool
    planned = plan.memory.rollout - plan.memory.optimizer
    assert planned == pytest.approx(peak, rel=0.1)


@pytest.mark.slow
def test_smollm2s_update_takes_the_memory_that_was_planned(smollm2_folder: Path) -> None:
    # Two micro-batches: the second one's activations live beside the first one's gradients. Their
    # length says little here, where weights, gradients and the optimizer's state are nearly all.
    length = CONTEXT // 16
    recipe = recipe_with(train={"micro_batch_tokens": length}, model={"context": length})
    policy = Policy.load(smollm2_folder, device="cpu")
    config = AutoConfig.from_pretrained(smollm2_folder)
    plan = Plan(recipe, Footprint(config), num_evaluated=4)
    found = measured_update(policy, recipe, full(count=2, length=length, shared=0))
    assert plan.memory.update == pytest.approx(found, rel=0.1)


SIZES = {
    "HuggingFaceTB/SmolLM2-135M-Instruct": 134_515_008,
    "Qwen/Qwen2.5-1.5B-Instruct": 1_543_714_304,
    "Qwen/Qwen2.5-3B-Instruct": 3_085_938_688,
    "Qwen/Qwen2.5-7B-Instruct": 7_615_616_512,
}
"""Parameters of the published weights, shared ones once."""


def test_the_models_of_shipped_recipes_are_known_without_a_network() -> None:
    every = [resolve(name) for name in recipe_names()]
    recipes = [recipe for recipe in every if not recipe.env.args.get("image")]
    named = {recipe.model.path for recipe in recipes} - {"tiny"}
    assert named == SIZES.keys()
    for recipe in recipes:
        if recipe.model.path in named:
            named.remove(recipe.model.path)
            footprint = Footprint(architecture(recipe, Panels.load(recipe)))
            assert footprint.num_parameters == SIZES[recipe.model.path]


def test_a_plan_that_does_not_fit_says_which_keys_to_change() -> None:
    recipe = recipe_with(train={"kl": 0.1})
    plan = Plan(recipe, Footprint(tiny_policy(context=CONTEXT).model.config), num_evaluated=40)
    assert advise(plan, 10**9) == ({}, plan)
    changes, changed = advise(plan, plan.memory.peak // 2)
    # After these two it is play that takes the most.
    assert list(changes) == ["model.dtype", "train.recompute", "model.live_episodes"]
    assert changed.fits(plan.memory.peak // 2)
    least, smallest = advise(plan, 10**5)
    assert not smallest.fits(10**5)
    assert least["train.kl"] == 0.0


def test_an_adapter_needs_no_reference_and_state_for_itself_alone() -> None:
    config = tiny_policy(context=CONTEXT).model.config
    recipe = recipe_with(train={"kl": 0.1}, lora={"rank": 4, "targets": ["q_proj"]})
    plan = Plan(recipe, Footprint(config, recipe.lora), num_evaluated=4)
    # Three layers; what goes in and what comes out are 64 wide.
    size = 3 * (64 * 4 + 4 * 64)
    memory = plan.memory
    assert memory.reference == 0
    assert (memory.gradients, memory.optimizer) == (4 * size, 8 * size)
    assert memory.weights == 4 * (plan.footprint.num_parameters + size)


def test_a_control_counts_beside_the_finished_run() -> None:
    warm_start = {"optimizer": "muon"}
    recipe = recipe_with(warm_start=warm_start)
    footprint = Footprint(tiny_policy(context=CONTEXT).model.config)
    alone, beside = (
        Plan(recipe, footprint, num_evaluated=4, control=control).memory
        for control in (False, True)
    )
    # Its weights; two running means of each, one where Muon moves it.
    size, matrices = footprint.num_parameters, footprint.num_linear
    assert beside.control == 4 * size + 8 * size - 4 * matrices
    assert beside.update == alone.update + beside.control
    assert beside.rollout == alone.rollout + beside.control


def test_an_optimizer_in_eight_bits_takes_a_quarter() -> None:
    footprint = Footprint(tiny_policy(context=CONTEXT).model.config)
    memories = [
        Plan(recipe_with(train={"optimizer": kind}), footprint, num_evaluated=4).memory.optimizer
        for kind in ("adamw", "adamw8bit")
    ]
    assert 0.25 < memories[1] / memories[0] < 0.35


def test_the_token_budget_is_the_largest_that_fits_where_none_is_set() -> None:
    recipe = recipe_with(train={"micro_batch_tokens": None, "tasks_per_step": 1, "group_size": 2})
    plan = Plan(recipe, Footprint(tiny_policy(context=CONTEXT).model.config), num_evaluated=1)
    assert recipe.train.token_budget == 2048
    peaks = {
        rows: plan.changed({"train.micro_batch_tokens": rows * CONTEXT}).memory.peak
        for rows in (1, 2, 4, 8)
    }
    assert peaks[4] < peaks[8]
    memory = int(peaks[4] / 0.9) + 10
    assert plan.settled(memory).recipe.train.micro_batch_tokens == 4 * CONTEXT
    # Where not even one context fits, one is tried; what is set stays.
    assert plan.settled(1000).recipe.train.micro_batch_tokens == CONTEXT
    fixed = plan.changed({"train.micro_batch_tokens": 77})
    assert fixed.settled(memory) is fixed
    assert settle(recipe, "cpu") is recipe


def test_episodes_at_once_are_those_of_the_larger_batch_within_the_limit() -> None:
    footprint = Footprint(tiny_policy().model.config)
    for tasks, samples, limit, live in ((4, 1, 256, 16), (40, 2, 256, 80), (40, 2, 50, 50)):
        recipe = recipe_with(eval={"samples": samples}, model={"live_episodes": limit})
        assert Plan(recipe, footprint, num_evaluated=tasks).live == live


def test_the_command_plans_a_shipped_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["plan", "alfworld-salt-1.5b", "--model.context", "64", "--train.micro_batch_tokens"]
    words += ["64", "--model.dtype", "bfloat16", "--train.kl", "0"]
    assert main([*words, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    size = SIZES["Qwen/Qwen2.5-1.5B-Instruct"]
    assert content["parameters"] == size
    assert content["bytes"]["weights"] == content["bytes"]["gradients"] == 4 * size
    assert content["bytes"]["optimizer"] == 8 * size
    assert content["bytes"]["reference"] == 0
    assert content["peak_bytes"] > 18 * size
    # 128 episodes of 64 tokens. Linear layers without the head: 28 x (1536 x (1536 + 256 + 256 +
    # 1536) + 3 x 1536 x 8960) weights; the head, in float32: 1536 x 151936. Layers are computed
    # again in the backward pass: four passes.
    body = 28 * (1536 * 3584 + 3 * 1536 * 8960)
    attention = 2 * 28 * 1536 * 64
    token = (2 * body + attention) / 989e12 + 2 * 1536 * 151936 / 67e12
    assert content["seconds"]["update"] == pytest.approx(4 * 128 * 64 * token, rel=1e-3)
    assert all(value >= 0 for value in content["seconds"].values())


def test_a_recipe_that_does_not_fit_ends_with_what_to_change(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["plan", "corridor", "--memory", "80MB", "--json"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert (content["fits"], content["fits_changed"]) == (False, True)
    assert content["changes"]
    assert main(["plan", "corridor", "--memory", "1MB", "--train.micro_batch_tokens", "512"]) == 1
    assert "Take a smaller model" in capsys.readouterr().out.splitlines()[-1]


def test_the_table_names_the_peaks_and_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--train.micro_batch_tokens", "2048"]
    assert main(["plan", "corridor", "--memory", "24GB", *words]) == 0
    text = capsys.readouterr().out
    assert "peak of an update" in text
    assert "on an H100: 67 TFLOP/s, 3.35 TB/s" in text
    assert text.splitlines()[-1].startswith("fits: 0.")


def test_a_size_that_is_none_is_refused() -> None:
    assert read_size("24gb") == 24 * 2**30
    assert read_size("512 MB") == 2**29
    with pytest.raises(UsageError, match="'24' is not a size; sizes look like 24GB"):
        read_size("24")

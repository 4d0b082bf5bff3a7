"""LoRA: the adapter alone moves, is saved and gone on with; merged it is an ordinary model."""

from __future__ import annotations

import copy
import json
import random
import shutil
import socket
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import ALONE, small_recipe, small_trainer
from tiny_models import tiny_policy
from transformers import AutoModelForCausalLM

from agentgym import store
from agentgym.cli import main
from agentgym.errors import UsageError
from agentgym.store import digest_of
from agentgym.trainers import lora
from agentgym.trainers.build import Panels, load_policy, make_optimizer
from agentgym.trainers.config import LoraConfig, Recipe, merge, validate
from agentgym.trainers.engines.local import LocalEngine
from agentgym.trainers.imitate import imitate
from agentgym.trainers.judge import judge
from agentgym.trainers.policy import Policy
from agentgym.trainers.run import train
from agentgym.trainers.step import train_step

LORA = {"rank": 4, "alpha": 8.0}


def recipe_of(model: Path, dtype: str = "float32", **changes: Any) -> Recipe:
    """A small recipe that trains an adapter."""
    plain = small_recipe(model, **{"lora": LORA, **changes})
    return validate(merge(plain.model_dump(mode="json"), {"model": {"dtype": dtype}}))


def texts(*, count: int = 8) -> tuple[list[list[int]], list[list[int]]]:
    """Random sequences that share a beginning, and the second half of each to predict."""
    rng = random.Random(0)
    shared = rng.choices(range(4, 60), k=20)
    ids = [[*shared, *rng.choices(range(4, 60), k=rng.randint(5, 20))] for _ in range(count)]
    return ids, [list(range(len(one) // 2, len(one))) for one in ids]


def trained(policy: Policy, recipe: Recipe, *, steps: int = 3) -> Policy:
    """The policy after steps that move its adapter far."""
    optimizer = make_optimizer(recipe, policy, None)
    ids, wanted = texts()
    for _ in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-2
        policy.logprobs(ids, wanted).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return policy


def weights(policy: Policy) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in policy.model.named_parameters()}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_train_step_moves_the_adapter_and_nothing_else(corridor_model: Path, dtype: str) -> None:
    recipe = recipe_of(corridor_model, dtype, train={"tasks_per_step": 2})
    trainer = small_trainer(recipe)
    assert trainer.policy.takes_trees
    before = weights(trainer.policy)
    result = train_step(trainer, 0)
    assert result.metrics["tokens/trained"] > 0
    after = weights(trainer.policy)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    # At the start the outer matrix is zero, so that the inner one has no gradient yet.
    assert moved == {name for name in before if "lora_B" in name}
    inner = {name for name in before if "lora_A" in name}
    assert len(inner) == len(moved) == 2 * 7
    assert {after[name].dtype for name in moved | inner} == {torch.float32}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_policy_without_its_adapter_is_the_one_that_it_began_as(
    corridor_model: Path, dtype: str
) -> None:
    recipe = recipe_of(corridor_model, dtype)
    ids, wanted = texts()
    plain = load_policy(recipe.model_copy(update={"lora": None}), str(corridor_model))
    policy = load_policy(recipe, str(corridor_model))
    with torch.no_grad():
        expected = plain.logprobs(ids, wanted)
        assert torch.equal(policy.logprobs(ids, wanted), expected)
    trained(policy, recipe)
    reference = policy.without_adapter()
    with torch.no_grad():
        assert (policy.logprobs(ids, wanted) - expected).abs().max() > 0.1
        assert torch.equal(reference.logprobs(ids, wanted), expected)
    own = {tensor.data_ptr() for tensor in policy.model.parameters()}
    assert {tensor.data_ptr() for tensor in reference.model.parameters()} < own


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_merged_adapter_gives_the_logits_that_it_gave_beside(
    corridor_model: Path, tmp_path: Path, dtype: str
) -> None:
    recipe = recipe_of(corridor_model, dtype)
    policy = trained(load_policy(recipe, str(corridor_model)), recipe)
    # In float32 arithmetic, where nothing but rounding is between the two.
    beside: Any = copy.deepcopy(policy.model).float()
    ids = torch.tensor(texts(count=1)[0])
    with torch.no_grad():
        expected = beside(input_ids=ids).logits
    lora.merge(policy.model)
    policy.save(tmp_path)
    assert not lora.is_adapter(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(model(input_ids=ids).logits, expected, rtol=1e-5, atol=1e-5)


def test_the_engine_plays_with_the_adapter(corridor_model: Path) -> None:
    recipe = recipe_of(corridor_model, "bfloat16")
    policy = load_policy(recipe, str(corridor_model))
    engine = LocalEngine(policy)
    trained(policy, recipe)
    ids, wanted = texts()
    with torch.no_grad():
        expected = policy.logprobs(ids, wanted)
        assert not torch.equal(engine._reader.logprobs(ids, wanted), expected)
        engine.reset()
        assert torch.equal(engine._reader.logprobs(ids, wanted), expected)


def test_a_warm_start_trains_the_adapter_and_rl_begins_another(
    corridor_model: Path, tmp_path: Path
) -> None:
    """And the run goes on from its checkpoint, is judged, and leaves an ordinary model."""
    warm_start = {"demonstrations": 8, "updates": 2, "episodes_per_update": 4, "lr": 1e-2}
    train_config = {"steps": 2, "kl": 0.01, "checkpoint_every": 1, "tasks_per_step": 2}
    evaluation = {"tasks": 1, "samples": 1}
    recipe = recipe_of(corridor_model, warm_start=warm_start, train=train_config, eval=evaluation)
    run = tmp_path / "run"
    result = train(recipe, out=run)
    assert result.report is not None
    assert result.report["fidelity"]["max_logprob_gap"] < 1e-3
    checkpoints = run / "checkpoints"
    folders = sorted(checkpoints.iterdir())
    assert all(lora.is_adapter(folder) for folder in folders)
    cold, warm = (Policy.load(path, device="cpu") for path in (corridor_model, run / "model"))
    head, *_, last = weights(warm)
    assert torch.equal(weights(cold)[head], weights(warm)[head])
    layer = "model.layers.0.self_attn.q_proj.weight"
    assert not torch.equal(weights(cold)[layer], weights(warm)[layer])
    # The first checkpoint's adapter does nothing: it is the warm-started model.
    ids, wanted = texts()
    with torch.no_grad():
        first = load_policy(recipe, str(folders[0]))
        assert torch.equal(first.logprobs(ids, wanted), warm.logprobs(ids, wanted))
        newest = load_policy(recipe, str(folders[-1]))
        expected = newest.logprobs(ids, wanted)
    shutil.copytree(run, tmp_path / "again")
    shutil.rmtree(tmp_path / "again" / "checkpoints" / folders[-1].name)
    (tmp_path / "again" / "report.json").unlink()
    train(recipe, out=tmp_path / "again", resume=True)
    again = tmp_path / "again" / "checkpoints" / folders[-1].name
    for name in (lora.FILE, "optimizer.pt"):
        assert digest_of(again / name) == digest_of(folders[-1] / name)
    assert judge(store.open(run), split=None, tasks=1, samples=1, greedy=True)["step"] == 2
    assert main(["export-model", str(run), str(tmp_path / "merged")]) == 0
    merged = Policy.load(tmp_path / "merged", device="cpu")
    with torch.no_grad():
        torch.testing.assert_close(merged.logprobs(ids, wanted), expected, rtol=1e-5, atol=1e-5)


def test_imitation_moves_the_adapter_alone(corridor_model: Path) -> None:
    warm_start = {"demonstrations": 8, "updates": 2, "episodes_per_update": 4}
    recipe = recipe_of(corridor_model, warm_start=warm_start)
    policy = load_policy(recipe, str(corridor_model))
    before = weights(policy)
    imitate(ALONE, recipe, Panels.load(recipe), policy=policy)
    moved = {n for n, tensor in weights(policy).items() if not torch.equal(before[n], tensor)}
    assert moved == {name for name in before if "lora_" in name}


def test_saving_an_adapter_asks_no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tiny_policy()
    policy.model.name_or_path = "nobody/a-model-of-the-hub"
    lora.add(policy.model, LoraConfig(rank=2), seed=0, dtype=torch.float32)
    asked: list[object] = []

    def refuse(host: object, *args: object, **kwargs: object) -> None:
        asked.append(host)
        raise OSError("there is no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        policy.save(tmp_path)
    assert asked == []
    written = json.loads((tmp_path / "adapter_config.json").read_text())
    assert written["base_model_name_or_path"] == "nobody/a-model-of-the-hub"


def test_an_adapter_goes_to_the_layers_that_are_named(corridor_model: Path) -> None:
    recipe = recipe_of(corridor_model, lora={**LORA, "targets": ["q_proj", "v_proj"]})
    names = [
        n
        for n, p in load_policy(recipe, str(corridor_model)).model.named_parameters()
        if p.requires_grad
    ]
    assert len(names) == 2 * 2 * 2
    assert all("q_proj" in name or "v_proj" in name for name in names)


def test_a_target_that_is_no_linear_layer_is_refused(corridor_model: Path) -> None:
    recipe = recipe_of(corridor_model, lora={"targets": ["embed_tokens"]})
    with pytest.raises(UsageError, match=r"'lora.targets' names 'embed_tokens', .* q_proj"):
        load_policy(recipe, str(corridor_model))

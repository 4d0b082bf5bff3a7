"""LoRA: two small matrices beside each frozen one, through peft; only they are trained and saved.

What a model says without its adapter is what its frozen weights say: a reference needs no second
copy of them.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedModel

from agentgym.errors import UsageError
from agentgym.registry import load
from agentgym.trainers import precision
from agentgym.trainers.config import LoraConfig

FILE = "adapter_model.safetensors"
"""peft's name for an adapter's weights."""
PREFIX = "base_model.model."
"""What peft puts before the names in it."""


def add(model: PreTrainedModel, config: LoraConfig, *, seed: int, dtype: torch.dtype) -> None:
    """Give the model an adapter that does nothing yet; all its own weights are frozen.

    Args:
        seed: one seed gives one adapter, in every process.
        dtype: of the arithmetic; frozen weights are kept in it, the adapter's in float32.

    Raises:
        UsageError: peft is not installed, or a target is no linear layer of the model.
    """
    linears = {id(linear) for linear in precision.linears(model)}
    known = {name.rpartition(".")[2] for name, m in model.named_modules() if id(m) in linears}
    for target in config.targets:
        if target not in known:
            raise UsageError(
                f"'lora.targets' names '{target}', but the linear layers of {type(model).__name__} "
                f"are {', '.join(sorted(known))}"
            )
    peft_config = load("peft:LoraConfig")(
        r=config.rank, lora_alpha=config.alpha, target_modules=sorted(config.targets or known)
    )
    model.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model.add_adapter(peft_config)
    # Not before: peft makes the adapter in the dtype of the layer beside it.
    precision.round_weights(model, dtype, trained=False)


def is_on(model: PreTrainedModel) -> bool:
    """Whether the model has an adapter."""
    return bool(model._hf_peft_config_loaded)


def save(model: PreTrainedModel, folder: Path) -> None:
    """Write the adapter as peft does."""
    # Saved by transformers, peft would look on the hub for changes of the embedding's size.
    tensors = load("peft:get_peft_model_state_dict")(model, save_embedding_layers=False)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {PREFIX + name: tensor.contiguous() for name, tensor in tensors.items()}, folder / FILE
    )
    (config,) = model.peft_config.values()
    config.save_pretrained(folder)


def is_adapter(folder: Path) -> bool:
    """Whether this is the folder of an adapter, not of a model."""
    return (folder / FILE).is_file()


def restore(model: PreTrainedModel, folder: Path) -> None:
    """Give the model's adapter the weights that a folder holds."""
    tensors = load_file(folder / FILE)
    names = {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()}
    result = load("peft:set_peft_model_state_dict")(model, names)
    assert not result.unexpected_keys, f"not of this adapter: {result.unexpected_keys}"


def without(model: PreTrainedModel) -> PreTrainedModel:
    """The same model without its adapter; the weights are shared."""
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    twin = copy.deepcopy(model, shared)
    for name, layer in _layers(twin):
        twin.set_submodule(name, layer.get_base_layer())
    _forget(twin)
    return twin


@torch.no_grad()
def merge(model: PreTrainedModel) -> None:
    """Add the adapter to the weights that it stands beside, in float32, and take it away."""
    for name, layer in _layers(model):
        linear: nn.Linear = layer.get_base_layer()
        (adapter,) = layer.active_adapters
        merged = linear.weight.float() + layer.get_delta_weight(adapter)
        linear.weight = nn.Parameter(merged, requires_grad=False)
        model.set_submodule(name, linear)
    _forget(model)


def _layers(model: PreTrainedModel) -> list[tuple[str, Any]]:
    """The layers that have an adapter, by name."""
    kind = load("peft.tuners.tuners_utils:BaseTunerLayer")
    return [(name, m) for name, m in model.named_modules() if isinstance(m, kind)]


def _forget(model: PreTrainedModel) -> None:
    """Take back what transformers and peft noted of an adapter, or they would save it."""
    model._hf_peft_config_loaded = False
    del model.peft_config

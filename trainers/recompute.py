"""Activations that are computed again in the backward pass instead of being kept."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.models.llama.modeling_llama import LlamaMLP

from agentgym.errors import UsageError


def recompute(model: PreTrainedModel, *, layers: bool) -> None:
    """Keep fewer activations from now on; gradients stay the same.

    Args:
        layers: keep only what goes into each layer; else all but what a gated MLP makes of its
            two projections.

    Raises:
        UsageError: transformers does not mark this architecture's layers, which are to be computed
            again.
    """
    (_recompute_layers if layers else _recompute_products)(model)


def _recompute_layers(model: PreTrainedModel) -> None:
    # Transformers' own switch works in training mode alone, which would bring dropout back.
    layers = [
        module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)
    ]
    if not layers:
        raise UsageError(
            f"{type(model).__name__} has no layers that transformers marks for recomputation; "
            "set --train.recompute false"
        )
    for layer in layers:
        layer.forward = partial(_forward, layer.forward)


def _forward(forward: Any, *args: Any, **kwargs: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*args, **kwargs)
    # Nothing random happens in a layer, so no state of generators need be kept.
    return checkpoint(forward, *args, use_reentrant=False, preserve_rng_state=False, **kwargs)


def _recompute_products(model: PreTrainedModel) -> None:
    """Spare two arrays as wide as each MLP, for two operations element by element.

    A module counts whose forward is Llama's to the instruction, as many architectures' is; others
    are left as they are.
    """
    gated = LlamaMLP.forward.__code__
    for module in model.modules():
        code = getattr(type(module).forward, "__code__", None)
        if code and (code.co_code, code.co_names) == (gated.co_code, gated.co_names):
            module.forward = partial(_gated, module)


def _gated(mlp: Any, hidden_XH: Tensor) -> Any:
    gate_XM, up_XM = mlp.gate_proj(hidden_XH), mlp.up_proj(hidden_XH)
    if not torch.is_grad_enabled():
        return _project_down(mlp, gate_XM, up_XM)
    # The product with the last matrix is not computed again, as it ends with what is asked for;
    # it is where an adapter stands beside that matrix.
    return checkpoint(
        _project_down, mlp, gate_XM, up_XM, use_reentrant=False, preserve_rng_state=False
    )


def _project_down(mlp: Any, gate_XM: Tensor, up_XM: Tensor) -> Any:
    return mlp.down_proj(mlp.act_fn(gate_XM) * up_XM)

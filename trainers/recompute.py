"""Layers whose activations are computed again in the backward pass instead of being kept."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from agentgym.errors import UsageError


def recompute_layers(model: PreTrainedModel) -> None:
    """Keep only what goes into each layer, from now on; gradients stay the same.

    Transformers' own switch works in training mode alone, which would bring dropout back.

    Raises:
        UsageError: transformers does not mark this architecture's layers.
    """
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

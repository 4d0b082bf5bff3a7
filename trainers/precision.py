"""Arithmetic in bfloat16 on weights in float32, and weights that are only read in bfloat16.

A step of 1e-6 is below what a bfloat16 weight of usual size can hold, so weights and optimizer
state are float32, and autocast rounds a linear layer's weight when the layer reads it. Where no
gradient flows the rounded weights are kept instead: half the bytes, the same numbers.

The weights of a model that was published in bfloat16 lie in the middle of what rounds to them, so
that what a layer reads would stay as it is until many steps in one direction add up. See `dither`.
"""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager, nullcontext
from itertools import chain

import torch
from torch import nn
from transformers import PreTrainedModel


def arithmetic(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Inside, matrix products are in this dtype, whatever their operands are in."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)


@torch.no_grad()
def round_weights(model: PreTrainedModel, dtype: torch.dtype, *, trained: bool = True) -> None:
    """Keep the weights of linear layers in this dtype, for a model that is only read.

    All else stays as it is, embeddings, norms and the head too: they are read in float32.

    Args:
        trained: round those that are trained, too.
    """
    for linear in linears(model):
        if linear.weight.dtype != dtype and (trained or not linear.weight.requires_grad):
            linear.weight = nn.Parameter(linear.weight.to(dtype), requires_grad=False)


def reading_copy(model: PreTrainedModel, dtype: torch.dtype) -> PreTrainedModel:
    """A model to read with: linear layers of its own in this dtype, all other weights shared.

    It is the model itself where that is in this dtype; else `refresh` it when the model changed.
    """
    if dtype == torch.float32:
        return model
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    twin = copy.deepcopy(model, shared)
    round_weights(twin, dtype)
    return twin


@torch.no_grad()
def refresh(twin: PreTrainedModel, model: PreTrainedModel) -> None:
    """Bring the reading copy of a model up to date."""
    if twin is not model:
        for mine, changed in zip(linears(twin), linears(model), strict=True):
            mine.weight.copy_(changed.weight)


@torch.no_grad()
def dither(model: PreTrainedModel, dtype: torch.dtype, *, seed: int) -> None:
    """Spread the linear layers' weights over what rounds to them: numbers stay, but steps count.

    A weight that a small step takes over the next rounding boundary moves by a whole spacing, and
    with evenly spread weights as many do as the step's share of a spacing: what is read moves as
    far as the weights do, on average. Of weights published in bfloat16 nearly none would.

    Args:
        dtype: of the arithmetic; nothing is done in float32.
        seed: one seed gives one model, in every process.
    """
    if dtype != torch.bfloat16:
        return
    generator = torch.Generator(model.device).manual_seed(seed)
    for parameter in chain.from_iterable(linear.parameters() for linear in linears(model)):
        # A bfloat16 is a float32's upper half, so the lower half, up to 2**15 away from 0 either
        # way, is what rounding drops; a float is its neighbour's bits plus one. 0 has no exponent
        # to lend, and a weight that lies elsewhere was trained.
        below = torch.empty_like(parameter, dtype=torch.int32)
        below.random_(-(2**15) + 1, 2**15, generator=generator)
        published = (parameter != 0) & (parameter == parameter.to(dtype))
        parameter.view(torch.int32).add_(below.where(published, 0))


def linears(model: PreTrainedModel) -> list[nn.Linear]:
    """The layers whose products are in the dtype of the arithmetic; the head's never are."""
    head = model.get_output_embeddings()
    return [
        module for module in model.modules() if isinstance(module, nn.Linear) and module is not head
    ]

"""Slots: the keys and values of live episodes, one slot each, kept between turns."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedModel

COLUMNS = 64
"""Capacity in tokens grows in multiples of this."""


class Slots:
    """Keys and values, one tensor `[2, slots, kv_heads, tokens, head_dim]` for each layer.

    They grow by doubling up to their limits, so that growing costs little in all; one layer after
    the other, so that at no time much is there twice. They shrink to nothing or not at all.
    """

    def __init__(
        self, model: PreTrainedModel, *, dtype: torch.dtype, max_slots: int, max_length: int
    ) -> None:
        self._max_slots = max_slots
        self._max_columns = _round_up(max_length)
        config = model.config
        num_heads = config.num_attention_heads
        num_kv_heads = config.num_key_value_heads or num_heads
        head_dim = getattr(config, "head_dim", None) or config.hidden_size // num_heads
        self.queries_per_key = num_heads // num_kv_heads
        empty = torch.zeros(2, 0, num_kv_heads, 0, head_dim, dtype=dtype, device=model.device)
        self._layers = [empty] * config.num_hidden_layers

    @property
    def device(self) -> torch.device:
        """Where the keys are."""
        return self._layers[0].device

    @property
    def dtype(self) -> torch.dtype:
        """Of keys and values."""
        return self._layers[0].dtype

    def layer(self, layer: int) -> tuple[Tensor, Tensor]:
        """Keys and values of one layer, `[slots, kv_heads, tokens, head_dim]` each; views."""
        keys, values = self._layers[layer]
        return keys, values

    @torch.inference_mode()
    def reserve(self, num_slots: int, length: int) -> None:
        """Make room for this many slots of this many tokens, both within the limits."""
        shape = list(self._layers[0].shape)
        old_slots, old_columns = shape[1], shape[3]
        columns = _round_up(length)
        if num_slots > old_slots:
            shape[1] = min(max(num_slots, 2 * old_slots), self._max_slots)
        if columns > old_columns:
            shape[3] = min(max(columns, 2 * old_columns), self._max_columns)
        if shape == list(self._layers[0].shape):
            return
        for number, old in enumerate(self._layers):
            # Zeros, not garbage: a masked value has weight 0, and 0 times nan would be nan.
            grown = old.new_zeros(shape)
            grown[:, :old_slots, :, :old_columns] = old
            self._layers[number] = grown

    @torch.inference_mode()
    def move(self, source: int, target: int, *, length: int) -> None:
        """Copy the first `length` tokens of a slot over another."""
        for layer in self._layers:
            layer[:, target, :, :length] = layer[:, source, :, :length]

    def clear(self) -> None:
        """Give the memory back; nothing is kept."""
        self._layers = [layer.new_zeros(layer[:, :0, :, :0].shape) for layer in self._layers]


def _round_up(length: int) -> int:
    return -(-length // COLUMNS) * COLUMNS

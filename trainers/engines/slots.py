"""Slots: the keys and values of live episodes, one slot each, kept between turns."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedModel

COLUMNS = 64
"""Capacity in tokens grows in multiples of this."""


class Slots:
    """Keys and values of all layers in one tensor `[2, layers, slots, kv_heads, tokens, head_dim]`.

    It grows by doubling up to its limits, so that growing costs little in all; it never shrinks.
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
        # Zeros, not garbage: a masked value has weight 0, and 0 times nan would be nan.
        self._store = torch.zeros(
            (2, config.num_hidden_layers, 0, num_kv_heads, 0, head_dim),
            dtype=dtype,
            device=model.device,
        )

    @property
    def device(self) -> torch.device:
        """Where the keys are."""
        return self._store.device

    @property
    def dtype(self) -> torch.dtype:
        """Of keys and values."""
        return self._store.dtype

    def layer(self, layer: int) -> tuple[Tensor, Tensor]:
        """Keys and values of one layer, `[slots, kv_heads, tokens, head_dim]` each; views."""
        return self._store[0, layer], self._store[1, layer]

    @torch.inference_mode()
    def reserve(self, num_slots: int, length: int) -> None:
        """Make room for this many slots of this many tokens, both within the limits."""
        shape = list(self._store.shape)
        old_slots, old_columns = shape[2], shape[4]
        columns = _round_up(length)
        if num_slots > old_slots:
            shape[2] = min(max(num_slots, 2 * old_slots), self._max_slots)
        if columns > old_columns:
            shape[4] = min(max(columns, 2 * old_columns), self._max_columns)
        if shape != list(self._store.shape):
            grown = self._store.new_zeros(shape)
            grown[:, :, :old_slots, :, :old_columns] = self._store
            self._store = grown

    @torch.inference_mode()
    def move(self, source: int, target: int, *, length: int) -> None:
        """Copy the first `length` tokens of a slot over another."""
        self._store[:, :, target, :, :length] = self._store[:, :, source, :, :length]


def _round_up(length: int) -> int:
    return -(-length // COLUMNS) * COLUMNS

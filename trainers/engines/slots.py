"""Slots: the keys and values of live episodes, one slot each, kept between turns."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedModel

from agentgym.errors import UsageError

COLUMNS = 64
"""Capacity in tokens grows in multiples of this."""


class Slots:
    """Keys and values, one tensor `[2, slots, kv_heads, tokens, head_dim]` for each layer.

    They grow by half up to their limits, so that growing costs little in all; on a GPU, where
    decoding is recorded anew whenever they change, by doubling. When they grow longer, those that
    are not in use go. One layer grows after the other, so that at no time much is there twice.
    Where the limit of tokens is near, slots become fewer and longer, or more and shorter.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        dtype: torch.dtype,
        max_slots: int,
        max_length: int,
        max_tokens: int | None = None,
    ) -> None:
        """Make room for nothing yet.

        Args:
            max_tokens: of all slots together, which are all as long as the longest; None: as many
                as so many slots of that length have.

        Raises:
            UsageError: it is less than one slot has.
        """
        self._max_slots = max_slots
        self._max_columns = round_up(max_length)
        self._max_tokens = max_tokens or max_slots * self._max_columns
        if self._max_tokens < self._max_columns:
            raise UsageError(
                f"keys and values of {max_tokens} tokens are fewer than one episode may have, "
                f"{self._max_columns}; set model.kv_tokens to that or more, or a smaller "
                "model.context"
            )
        config = model.config
        num_heads = config.num_attention_heads
        num_kv_heads = config.num_key_value_heads or num_heads
        head_dim = getattr(config, "head_dim", None) or config.hidden_size // num_heads
        self.queries_per_key = num_heads // num_kv_heads
        empty = torch.zeros(2, 0, num_kv_heads, 0, head_dim, dtype=dtype, device=model.device)
        self._layers = [empty] * config.num_hidden_layers
        self.version = 0
        """Another one whenever the tensors are."""

    @property
    def device(self) -> torch.device:
        """Where the keys are."""
        return self._layers[0].device

    @property
    def dtype(self) -> torch.dtype:
        """Of keys and values."""
        return self._layers[0].dtype

    @property
    def shape(self) -> tuple[int, int]:
        """How many slots there are, and the tokens that each has room for."""
        _, num_slots, _, num_columns, _ = self._layers[0].shape
        return num_slots, num_columns

    def layer(self, layer: int) -> tuple[Tensor, Tensor]:
        """Keys and values of one layer, `[slots, kv_heads, tokens, head_dim]` each; views."""
        keys, values = self._layers[layer]
        return keys, values

    def fits(self, num_slots: int, length: int) -> bool:
        """Whether there may be so many slots of so many tokens at once."""
        columns = round_up(length)
        within = num_slots <= self._max_slots and columns <= self._max_columns
        return within and num_slots * columns <= self._max_tokens

    @torch.inference_mode()
    def reserve(self, num_slots: int, length: int) -> None:
        """Make room for this many slots of this many tokens, which must fit.

        What is in other slots or behind so many tokens may be lost.
        """
        shape = list(self._layers[0].shape)
        old_slots, old_columns = shape[1], shape[3]
        columns = round_up(length)
        if columns > old_columns:
            shape[1] = num_slots
            shape[3] = min(max(columns, round_up(self._grown(old_columns))), self._max_columns)
        elif num_slots > old_slots:
            shape[1] = min(max(num_slots, self._grown(old_slots)), self._max_slots)
        if shape == list(self._layers[0].shape):
            return
        if shape[1] * shape[3] > self._max_tokens:
            # No slot to spare, and of columns what there is, so that they need not grow soon.
            spare = self._max_tokens // num_slots // COLUMNS * COLUMNS
            shape[1], shape[3] = num_slots, min(2 * columns, spare, self._max_columns)
        num_kept, length_kept = min(old_slots, shape[1]), min(old_columns, shape[3])
        for number, old in enumerate(self._layers):
            # Zeros, not garbage: a masked value has weight 0, and 0 times nan would be nan.
            grown = old.new_zeros(shape)
            grown[:, :num_kept, :, :length_kept] = old[:, :num_kept, :, :length_kept]
            self._layers[number] = grown
        self.version += 1

    def _grown(self, size: int) -> int:
        return 2 * size if self.device.type == "cuda" else size + size // 2

    @torch.inference_mode()
    def move(self, source: int, target: int, *, length: int) -> None:
        """Copy the first `length` tokens of a slot over another."""
        for layer in self._layers:
            layer[:, target, :, :length] = layer[:, source, :, :length]

    def clear(self) -> None:
        """Give the memory back; nothing is kept."""
        self._layers = [layer.new_zeros(layer[:, :0, :, :0].shape) for layer in self._layers]
        self.version += 1


def round_up(length: int) -> int:
    """The tokens that a slot has which must hold so many."""
    return -(-length // COLUMNS) * COLUMNS

"""Decode: one token of every slot at once, in shapes that change only when the slots grow.

A small model's forward of a few tokens takes a GPU less time than it takes Python to launch its
kernels. In static shapes they are recorded once as a CUDA graph and launched together.

Dimensions: S slots, C tokens of a slot, K key heads, G queries per key head, D head size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from agentgym.trainers import attention
from agentgym.trainers.engines.packed import Piece
from agentgym.trainers.engines.slots import Slots
from agentgym.trainers.scorer import Scorer


class Decode:
    """The forward of one token for each slot; on a GPU recorded anew when the slots change."""

    def __init__(self, reader: Scorer, slots: Slots) -> None:
        """Read with this model into these slots."""
        self._reader = reader
        self._slots = slots
        self._version = -1
        self._graph: torch.cuda.CUDAGraph | None = None
        on_gpu = slots.device.type == "cuda"
        self._aside = torch.cuda.Stream(slots.device) if on_gpu else None
        """Where graphs are recorded: one stream for all, as each keeps memory of its own."""

    def read(self, pieces: Sequence[Piece], free: Mapping[int, int]) -> Tensor:
        """Hidden states after pieces of one token each, `[pieces, hidden]`.

        Args:
            free: for every slot in use, its first token that holds nothing. The slots without a
                piece are fed all the same, and what comes of it is put there.
        """
        num_slots, _ = self._slots.shape
        ids, positions = [0] * num_slots, [0] * num_slots
        for slot, position in free.items():
            positions[slot] = position
        for piece in pieces:
            ids[piece.slot], positions[piece.slot] = piece.ids[0], piece.start
        index_2S = torch.tensor([ids, positions])
        if self._version != self._slots.version:
            self._version, self._graph = self._slots.version, None
            self._index_2S = index_2S.to(self._slots.device)
        else:
            self._index_2S.copy_(index_2S)  # where a recorded graph reads it
        return self._run()[[piece.slot for piece in pieces]]

    def _run(self) -> Tensor:
        """Hidden states of all slots, `[S, hidden]`; the next call may overwrite them."""
        if self._aside is None:
            return self._forward()
        if self._graph is None:
            self._graph = self._record(self._aside)
        self._graph.replay()
        return self._hidden_SH

    def _record(self, aside: torch.cuda.Stream) -> torch.cuda.CUDAGraph:
        """The forward as a graph; whenever it is replayed, it writes to the same hidden states."""
        # A first run sets up what may not be set up while recording.
        here = torch.cuda.current_stream()
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            self._forward()
        here.wait_stream(aside)
        # What autocast has cast so far is freed at its end, and a recording would read it later.
        torch.clear_autocast_cache()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=aside):
            self._hidden_SH = self._forward()
        return graph

    def _forward(self) -> Tensor:
        ids_S, positions_S = self._index_2S
        num_slots, num_columns = self._slots.shape
        slots_S = torch.arange(num_slots, device=self._slots.device)
        hidden_SC = torch.arange(num_columns, device=self._slots.device) > positions_S[:, None]
        mask_SC = torch.zeros(hidden_SC.shape, dtype=self._slots.dtype, device=hidden_SC.device)
        mask_SC.masked_fill_(hidden_SC, -torch.inf)

        def attend(
            layer: int,
            query: Tensor,
            key: Tensor,
            value: Tensor,
            *,
            scaling: float,
            window: int | None,
        ) -> Tensor:
            assert window is None, "the engine refuses models with sliding windows"
            keys, values = self._slots.layer(layer)
            keys[slots_S, :, positions_S] = key[0].transpose(0, 1)
            values[slots_S, :, positions_S] = value[0].transpose(0, 1)
            query_SKGD = (
                query[0].transpose(0, 1).reshape(num_slots, keys.shape[1], -1, keys.shape[3])
            )
            output_SKGD = scaled_dot_product_attention(
                query_SKGD,
                keys,
                values,
                attn_mask=mask_SC[:, None, None].expand(-1, -1, query_SKGD.shape[2], -1),
                scale=scaling,
            )
            return output_SKGD.reshape(1, num_slots, -1, keys.shape[3])

        return attention.packed_forward(
            self._reader.model.base_model, ids_S[None], positions_S[None], attend=attend
        )

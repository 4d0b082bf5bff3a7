"""Scorer: the log-probabilities of given tokens by a causal language model.

Dimensions: B sequences of a micro-batch, L padded length, W wanted tokens, H hidden, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from itertools import chain

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from agentgym.errors import UsageError
from agentgym.trainers import attention, batches, precision
from agentgym.trainers.batches import MicroBatch
from agentgym.trainers.splitting import run_all
from agentgym.trainers.tree import TokenTree
from agentgym.trainers.vision import Vision

TOKEN_BUDGET = 8192
"""Padded tokens of a micro-batch."""
LOGITS_BUDGET = 2**24
"""Elements of a chunk of logits: 64 MiB in fp32."""


class Scorer:
    """A model that reads token sequences."""

    def __init__(self, model: PreTrainedModel, *, dtype: torch.dtype = torch.float32) -> None:
        """Take the model as it is, in evaluation mode: no dropout, ever.

        Args:
            dtype: of its arithmetic; see `precision`.
        """
        model.eval()
        self.model = model
        self.dtype = dtype
        self.vision: Vision | None = None
        """How it reads pictures, if it does."""

    def arithmetic(self) -> AbstractContextManager[object]:
        """Inside, the model computes in its dtype."""
        return precision.arithmetic(self.device, self.dtype)

    def reading_copy(self) -> Scorer:
        """One to read with where no gradient flows; `refresh` it when the weights have changed."""
        return Scorer(precision.reading_copy(self.model, self.dtype), dtype=self.dtype)

    def refresh(self, changed: Scorer) -> None:
        """Read the weights of the one that this is a copy of again."""
        precision.refresh(self.model, changed.model)

    @cached_property
    def takes_trees(self) -> bool:
        """Whether the model reads a token tree as it reads its sequences alone."""
        if self.vision is not None:
            return False
        with torch.no_grad(), self.arithmetic():
            try:
                attention.install(self.model)
            except UsageError:
                return False
            return self._reads_trees()

    def _reads_trees(self) -> bool:
        """The hook is there; does it give what the model computes without it?"""
        sequences = [[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 1], [0, 2]]
        tree = TokenTree(sequences, device=self.device)
        body = self.model.base_model
        hidden_NH = attention.packed_forward(body, tree.token_ids, tree.position_ids, attend=tree)
        for ids, path in zip(sequences, tree.paths, strict=True):
            ids_1L = torch.tensor([ids], device=self.device)
            alone_LH = body(input_ids=ids_1L, use_cache=False).last_hidden_state[0]
            # Far above rounding, bfloat16's too; far below another mask or position.
            if (hidden_NH[path] - alone_LH).norm() > 0.05 * alone_LH.norm():
                return False
        return True

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = self.model.device
        return device

    @property
    def chunk(self) -> int:
        """How many rows of logits are made at a time."""
        num_tokens: int = self.model.config.get_text_config().vocab_size
        return max(1, LOGITS_BUDGET // num_tokens)

    def logits(self, hidden_WH: Tensor) -> Tensor:
        """The logits `[W, V]` at hidden states of the model's body.

        In the weights' float32 whatever the arithmetic is: a bfloat16 logit of 20 is off by up to
        0.06, and most of what lay between sampling-time and train-time logprobs came from that.
        """
        head = self.model.get_output_embeddings()
        with torch.autocast(self.device.type, enabled=False):
            logits: Tensor = head(hidden_WH.to(head.weight.dtype))
        return self.allowed(logits.float())

    def allowed(self, logits_WV: Tensor) -> Tensor:
        """The logits without what a model that reads pictures may not say."""
        if self.vision is None:
            return logits_WV
        hidden = torch.tensor(self.vision.control_ids, device=logits_WV.device)
        return logits_WV.index_fill(-1, hidden, -torch.inf)

    def logprobs(
        self,
        sequences: Sequence[Sequence[int]],
        wanted: Sequence[Sequence[int]],
        *,
        budget: int = TOKEN_BUDGET,
        images: Sequence[Sequence[bytes]] = (),
    ) -> Tensor:
        """Log-probabilities of the wanted tokens, each given all tokens before it.

        They are `[W]`, sequence by sequence as they were asked: fp32, natural log, temperature 1.

        Gradients flow unless they are switched off around the call. The activations of all its
        micro-batches then live until `backward`: to hold one at a time, `plan` and `run` them.

        Args:
            sequences: token ids; what follows a sequence's last wanted token costs nothing.
            wanted: per sequence, the positions of the tokens to score; position 0 has nothing
                before it.
            budget: padded tokens of a micro-batch.
            images: each sequence's pictures, where any has some.

        Raises:
            ValueError: a position is 0 or outside its sequence, or the lists differ in length.
            MemoryFullError: one sequence alone does not fit into memory.
        """
        nothing = torch.zeros(0, device=self.device)
        pieces = [nothing] * len(sequences)

        def score(batch: MicroBatch) -> None:
            parts = self.run(batch).split([len(positions) for positions in batch.wanted])
            for i, part in zip(batch.members, parts, strict=True):
                pieces[i] = part

        run_all(self.plan(sequences, wanted, budget=budget, images=images), score)
        return torch.cat([nothing, *pieces])

    def plan(
        self,
        sequences: Sequence[Sequence[int]],
        wanted: Sequence[Sequence[int]],
        *,
        budget: int = TOKEN_BUDGET,
        images: Sequence[Sequence[bytes]] = (),
    ) -> Iterator[MicroBatch]:
        """The micro-batches that `logprobs` makes of these, to `run` one at a time.

        Args:
            sequences: as for `logprobs`, as are the others.

        Raises:
            ValueError: a position is 0 or outside its sequence, or the lists differ in length.
        """
        _check_positions(sequences, wanted)
        trees = self.takes_trees
        return batches.plan(sequences, wanted, budget=budget, trees=trees, images=images)

    def run(self, batch: MicroBatch) -> Tensor:
        """The log-probabilities `[W]` of a micro-batch's wanted tokens, member by member."""
        as_tree = batch.as_tree and self.takes_trees
        with self.arithmetic():
            if as_tree:
                return self._run_tree(batch)
            targets = list(chain.from_iterable(batch.targets))
            return self._score_hidden(self._read_padded(batch), targets)

    def states(self, batch: MicroBatch) -> Tensor:
        """The hidden states `[W, H]` that a micro-batch's wanted tokens are predicted from."""
        as_tree = batch.as_tree and self.takes_trees
        with self.arithmetic():
            if as_tree:
                hidden_NH, nodes_W = self._read_tree(batch)
                return hidden_NH[nodes_W.tolist()]
            return self._read_padded(batch)

    def _read_padded(self, batch: MicroBatch) -> Tensor:
        """Hidden states `[W, H]` of the tokens before the wanted ones."""
        rows = [row for row, positions in enumerate(batch.wanted) for _ in positions]
        columns = [position - 1 for positions in batch.wanted for position in positions]
        length = max(map(len, batch.ids))
        padded = [[*ids, *[0] * (length - len(ids))] for ids in batch.ids]
        # Padding is on the right and attention is causal: no wanted token sees it, no mask needed.
        ids_BL = torch.tensor(padded, device=self.device)
        seen = {}
        if self.vision is not None:
            seen = self.vision.inputs(ids_BL, batch.images or [()] * len(batch.ids))
        output = self.model.base_model(input_ids=ids_BL, use_cache=False, **seen)
        hidden_BLH: Tensor = output.last_hidden_state
        return hidden_BLH[rows, columns]

    def _read_tree(self, batch: MicroBatch) -> tuple[Tensor, npt.NDArray[np.int64]]:
        """Hidden states `[N, H]` of the nodes, and the node before each wanted token, `[W]`."""
        tree = TokenTree(batch.ids, device=self.device)
        places = [
            path[np.asarray(positions, np.int64) - 1]
            for path, positions in zip(tree.paths, batch.wanted, strict=True)
        ]
        hidden_NH = attention.packed_forward(
            self.model.base_model, tree.token_ids, tree.position_ids, attend=tree
        )
        return hidden_NH, np.concatenate(places)

    def _run_tree(self, batch: MicroBatch) -> Tensor:
        """The same values; what members share is computed once, and each gets its own."""
        hidden_NH, nodes_W = self._read_tree(batch)
        pairs_W2 = np.stack([nodes_W, np.array(list(chain.from_iterable(batch.targets)))], axis=1)
        # Distinct (node, token) pairs, and which of them each wanted token is.
        pairs_U2, which_W = np.unique(pairs_W2, axis=0, return_inverse=True)
        hidden_UH = hidden_NH[pairs_U2[:, 0].tolist()]
        logprobs_U = self._score_hidden(hidden_UH, pairs_U2[:, 1].tolist())
        return logprobs_U[torch.from_numpy(which_W).to(self.device)]

    def _score_hidden(self, hidden_WH: Tensor, targets: list[int]) -> Tensor:
        targets_W = torch.tensor(targets, device=self.device)
        size = self.chunk
        if len(targets) <= size:
            return self._score_tokens(hidden_WH, targets_W)
        # The logits of a chunk are computed again in the backward pass rather than kept.
        chunks = [
            checkpoint(
                self._score_tokens, hidden, chosen, use_reentrant=False, preserve_rng_state=False
            )
            for hidden, chosen in zip(hidden_WH.split(size), targets_W.split(size), strict=True)
        ]
        return torch.cat(chunks)

    def _score_tokens(self, hidden_WH: Tensor, targets_W: Tensor) -> Tensor:
        logprobs_WV = self.logits(hidden_WH).log_softmax(-1)
        return logprobs_WV.gather(-1, targets_W[:, None])[:, 0]


def _check_positions(sequences: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]) -> None:
    if len(sequences) != len(wanted):
        raise ValueError(f"{len(sequences)} sequences but {len(wanted)} lists of wanted positions")
    for i, (ids, positions) in enumerate(zip(sequences, wanted, strict=True)):
        for position in positions:
            if not 1 <= position < len(ids):
                raise ValueError(
                    f"sequence {i}: position {position} is not within 1 .. {len(ids) - 1}"
                )

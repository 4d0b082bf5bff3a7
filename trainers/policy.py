"""Policy: a causal language model, its tokenizer, and the log-probabilities of given tokens.

Dimensions: B sequences of a micro-batch, L padded length, W wanted tokens, H hidden, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.models.auto.tokenization_auto import get_tokenizer_config

from agentgym.errors import UsageError, boundary
from agentgym.render import ChatTemplate
from agentgym.trainers import gguf
from agentgym.trainers.world import World

TOKEN_BUDGET = 8192
"""Padded tokens of a micro-batch."""
LOGITS_BUDGET = 2**24
"""Elements of a chunk of logits: 64 MiB in fp32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What the policy says of the wanted tokens, flat: sequence by sequence, as they were asked."""

    logprobs: Tensor
    """`[W]`, fp32, natural log at temperature 1."""
    entropies: Tensor
    """`[W]`, nats, of the distribution that each token was drawn from; never has a gradient."""


class Policy:
    """A model with its tokenizer; `model` is shared by the trainer and the engines."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        """Take the model as it is, in evaluation mode: no dropout, ever.

        Raises:
            UsageError: model and tokenizer do not fit, or the architecture is not supported.
        """
        num_tokens = model.config.vocab_size
        if len(tokenizer) > num_tokens:
            raise UsageError(
                f"the tokenizer has {len(tokenizer)} tokens, the model only {num_tokens}"
            )
        model.eval()
        self.model = model
        self.tokenizer = tokenizer
        self.context: int = model.config.max_position_embeddings
        """The longest sequence, in tokens."""
        self.end_ids = ChatTemplate(tokenizer).end_ids
        """The tokens that end an action."""
        self._check_head()

    @classmethod
    def load(
        cls, name: str | Path, *, device: str = "auto", dtype: torch.dtype = torch.float32
    ) -> Policy:
        """Load a model folder, a hub name, or a GGUF file (converted once, into a cache folder).

        Args:
            device: "auto" is the GPU where there is one.

        Raises:
            UsageError: there is no such model, or it cannot be a policy.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        model: Any
        with boundary(UsageError, f"cannot load model '{name}'"):
            source = gguf.converted(Path(name)) if str(name).endswith(".gguf") else name
            tokenizer = _load_tokenizer(source)
            model = AutoModelForCausalLM.from_pretrained(source, dtype=dtype)
        return cls(model.to(device), tokenizer)

    def save(self, folder: Path) -> None:
        """Write an ordinary model folder, tokenizer and chat template included."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = self.model.device
        return device

    def logits(self, hidden_WH: Tensor) -> Tensor:
        """The logits `[W, V]`, fp32, at hidden states of the model's body."""
        logits: Tensor = self.model.get_output_embeddings()(hidden_WH)
        return logits.float()

    def logprobs(
        self, sequences: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]
    ) -> Tensor:
        """The log-probabilities alone, as `score` gives them."""
        return self.score(sequences, wanted).logprobs

    def score(
        self,
        sequences: Sequence[Sequence[int]],
        wanted: Sequence[Sequence[int]],
        *,
        budget: int = TOKEN_BUDGET,
    ) -> Scores:
        """Log-probabilities of the wanted tokens, each given all tokens before it.

        Gradients flow unless they are switched off around the call. The activations of all its
        micro-batches then live until `backward`: to hold one at a time, group the sequences by
        `micro_batches` and call once for each group.

        Args:
            sequences: token ids; what follows a sequence's last wanted token costs nothing.
            wanted: per sequence, the positions of the tokens to score; position 0 has nothing
                before it.
            budget: padded tokens of a micro-batch.

        Raises:
            ValueError: a position is 0 or outside its sequence, or the lists differ in length.
        """
        _check_positions(sequences, wanted)
        lengths = [max(positions, default=0) for positions in wanted]
        nothing = torch.zeros(0, device=self.device)
        pieces = [(nothing, nothing)] * len(sequences)
        for batch in self.micro_batches(lengths, budget=budget):
            logprobs, entropies = self._score_batch(
                [sequences[i] for i in batch], [wanted[i] for i in batch]
            )
            sizes = [len(wanted[i]) for i in batch]
            parts = zip(logprobs.split(sizes), entropies.split(sizes), strict=True)
            for i, part in zip(batch, parts, strict=True):
                pieces[i] = part
        return Scores(
            logprobs=torch.cat([nothing, *(logprobs for logprobs, _ in pieces)]),
            entropies=torch.cat([nothing, *(entropies for _, entropies in pieces)]),
        )

    @staticmethod
    def micro_batches(
        lengths: Sequence[int], *, budget: int = TOKEN_BUDGET
    ) -> list[tuple[int, ...]]:
        """Group sequences of similar length so that each group, padded, fits the budget.

        Sequences of length 0 are left out; one above the budget is a group of its own.

        >>> Policy.micro_batches([5, 2, 0, 9, 3], budget=10)
        [(3,), (0, 4), (1,)]
        """
        order = sorted((i for i, n in enumerate(lengths) if n > 0), key=lambda i: -lengths[i])
        batches: list[list[int]] = []
        for i in order:
            # Longest first: a group's first member is what the others are padded to.
            if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= budget:
                batches[-1].append(i)
            else:
                batches.append([i])
        return [tuple(batch) for batch in batches]

    def sum_gradients(self, world: World) -> None:
        """Sum the gradients over the processes; one that had nothing to train counts as zero."""
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        world.sum_(p.grad for p in parameters if p.grad is not None)

    def states(
        self, sequences: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]
    ) -> Tensor:
        """The hidden states `[W, H]` that the wanted tokens are predicted from, in one pass.

        Args:
            sequences: of one micro-batch, each with a wanted token; see `score`.
        """
        rows = [row for row, positions in enumerate(wanted) for _ in positions]
        columns = [position - 1 for positions in wanted for position in positions]
        # The last wanted token of a sequence is a target only: the model need not read it.
        length = max(columns) + 1
        padded = [[*ids[:length], *[0] * (length - len(ids))] for ids in sequences]
        # Padding is on the right and attention is causal: no wanted token sees it, no mask needed.
        ids_BL = torch.tensor(padded, device=self.device)
        hidden_BLH = self.model.base_model(input_ids=ids_BL, use_cache=False).last_hidden_state
        hidden_WH: Tensor = hidden_BLH[rows, columns]
        return hidden_WH

    def _score_batch(
        self, sequences: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]
    ) -> tuple[Tensor, Tensor]:
        hidden_WH = self.states(sequences, wanted)
        targets = [
            ids[position]
            for ids, positions in zip(sequences, wanted, strict=True)
            for position in positions
        ]
        targets_W = torch.tensor(targets, device=self.device)
        size = max(1, LOGITS_BUDGET // self.model.config.vocab_size)
        if len(targets) <= size:
            return self._score_tokens(hidden_WH, targets_W)
        # The logits of a chunk are computed again in the backward pass rather than kept.
        chunks = [
            checkpoint(self._score_tokens, hidden, chosen, use_reentrant=False)
            for hidden, chosen in zip(hidden_WH.split(size), targets_W.split(size), strict=True)
        ]
        logprobs, entropies = zip(*chunks, strict=True)
        return torch.cat(logprobs), torch.cat(entropies)

    def _score_tokens(self, hidden_WH: Tensor, targets_W: Tensor) -> tuple[Tensor, Tensor]:
        logprobs_WV = self.logits(hidden_WH).log_softmax(-1)
        with torch.no_grad():
            # `entr` is 0 at probability 0, where p log p would be nan.
            entropies_W = torch.special.entr(logprobs_WV.exp()).sum(-1)
        return logprobs_WV.gather(-1, targets_W[:, None])[:, 0], entropies_W

    @torch.no_grad()
    def _check_head(self) -> None:
        """Make sure that body and head are the whole model; some scale or cap logits besides."""
        ids = torch.tensor([[0, 1]], device=self.device)
        whole = self.model(input_ids=ids, use_cache=False).logits[0].float()
        body = self.model.base_model(input_ids=ids, use_cache=False).last_hidden_state[0]
        # The same operations on the same numbers: any real difference is far above rounding.
        if not torch.allclose(self.logits(body), whole, rtol=1e-3, atol=1e-3):
            raise UsageError(
                f"{type(self.model).__name__} does more to its logits than its output embedding; "
                "it cannot be a policy"
            )


def _load_tokenizer(source: str | Path) -> PreTrainedTokenizerBase:
    """A folder's tokenizer, by its own file where it names the class that reads any file.

    `AutoTokenizer` ignores that name for some architectures, Qwen2 among them, and rebuilds the
    tokenizer with the splitting of the architecture's published models.
    """
    declared = get_tokenizer_config(source).get("tokenizer_class")
    generic = declared in ("PreTrainedTokenizerFast", "TokenizersBackend")
    reader: Any = PreTrainedTokenizerFast if generic else AutoTokenizer
    tokenizer: PreTrainedTokenizerBase = reader.from_pretrained(source)
    return tokenizer


def _check_positions(sequences: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]) -> None:
    if len(sequences) != len(wanted):
        raise ValueError(f"{len(sequences)} sequences but {len(wanted)} lists of wanted positions")
    for i, (ids, positions) in enumerate(zip(sequences, wanted, strict=True)):
        for position in positions:
            if not 1 <= position < len(ids):
                raise ValueError(
                    f"sequence {i}: position {position} is not within 1 .. {len(ids) - 1}"
                )

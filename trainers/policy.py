"""Policy: a causal language model that has a tokenizer, and how it comes and goes.

It may read pictures as well; see `Vision`.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.models.auto.tokenization_auto import get_tokenizer_config

from agentgym.errors import UsageError, boundary
from agentgym.render import ChatTemplate
from agentgym.trainers import gguf, lora, precision
from agentgym.trainers.scorer import Scorer
from agentgym.trainers.vision import Vision


class Policy(Scorer):
    """A model with its tokenizer; `model` is shared by the trainer and the engines."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Take the model as it is, in evaluation mode: no dropout, ever.

        Args:
            dtype: of its arithmetic; see `precision`.

        Raises:
            UsageError: model and tokenizer do not fit, or the architecture is not supported.
        """
        config = model.config.get_text_config()
        num_tokens = config.vocab_size
        if len(tokenizer) > num_tokens:
            raise UsageError(
                f"the tokenizer has {len(tokenizer)} tokens, the model only {num_tokens}"
            )
        super().__init__(model, dtype=dtype)
        self.tokenizer = tokenizer
        self.context: int = config.max_position_embeddings
        """The longest sequence, in tokens."""
        template = ChatTemplate(tokenizer)
        self.end_ids = template.end_ids
        """The tokens that end an action."""
        self.decode = template.decode
        """The text of an action's tokens."""
        self._check_head()

    @classmethod
    def load(cls, name: str | Path, *, device: str, dtype: torch.dtype = torch.float32) -> Policy:
        """Load a model folder, a hub name, or a GGUF file (converted once, into a cache folder).

        The weights are float32, to be trained; `freeze` those that are not.

        Args:
            dtype: of its arithmetic.

        Raises:
            UsageError: there is no such model, or it cannot be a policy.
        """
        model: Any
        with boundary(UsageError, f"cannot load model '{name}'"):
            source = gguf.converted(Path(name)) if str(name).endswith(".gguf") else name
            tokenizer = _load_tokenizer(source)
            sees = hasattr(AutoConfig.from_pretrained(source), "vision_config")
            kind: Any = AutoModelForImageTextToText if sees else AutoModelForCausalLM
            model = kind.from_pretrained(source, dtype=torch.float32)
        policy = cls(model.to(device), tokenizer, dtype=dtype)
        if sees:
            policy.vision = Vision.load(source, model.config, tokenizer)
        return policy

    def freeze(self) -> None:
        """Make it a policy that is only read, in less memory and with the same numbers."""
        self.model.requires_grad_(False)
        precision.round_weights(self.model, self.dtype)

    def without_adapter(self) -> Policy:
        """The policy as it was before it got its adapter; no weight is there twice."""
        twin = copy.copy(self)
        twin.model = lora.without(self.model)
        return twin

    def save(self, folder: Path) -> None:
        """Write an ordinary model folder, tokenizer and chat template included.

        Of a policy with an adapter it is the adapter's folder, in peft's form.
        """
        if lora.is_on(self.model):
            lora.save(self.model, folder)
        else:
            self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        if self.vision is not None:
            self.vision.processor.save_pretrained(folder)

    @torch.no_grad()
    def _check_head(self) -> None:
        """Make sure that body and head are the whole model; some scale or cap logits besides."""
        ids = torch.tensor([[0, 1]], device=self.device)
        whole = self.model(input_ids=ids, use_cache=False).logits[0]
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

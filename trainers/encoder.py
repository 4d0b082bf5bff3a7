"""A sentence encoder: texts to vectors whose cosine says how near their meanings are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModel, AutoTokenizer

Vectors: TypeAlias = npt.NDArray[np.float32]


def load_encoder(name: str, *, max_tokens: int, device: str) -> Encoder:
    """The encoder of a model folder or hub name, of the MiniLM type."""
    tokenizer = AutoTokenizer.from_pretrained(name)
    model = AutoModel.from_pretrained(name, dtype=torch.float32).to(device).eval()
    return Encoder(model, tokenizer, max_tokens=max_tokens)


class Encoder:
    """Texts to unit vectors."""

    def __init__(self, model: Any, tokenizer: Any, *, max_tokens: int) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._lock = Lock()  # a fast tokenizer may not be called by two threads at once

    def hash(self) -> str:
        """Of all that embeddings depend on: weights, architecture, tokenizer, length."""
        digest = hashlib.sha256(self._model.config.to_json_string().encode())
        for name, tensor in sorted(self._model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().numpy())
        # Its state of padding and cutting is that of the last call.
        tokenizer = json.loads(self._tokenizer.backend_tokenizer.to_str())
        tokenizer |= {"padding": None, "truncation": self._max_tokens}
        digest.update(json.dumps(tokenizer, sort_keys=True).encode())
        return digest.hexdigest()[:16]

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """The embeddings `[len(texts), D]`, each of length 1: inner products are cosines."""
        # Lone surrogates, which JSON may hold, are no text to a tokenizer.
        clean = [text.encode("utf-8", "replace").decode() for text in texts]
        with self._lock, torch.inference_mode():
            batch = self._tokenizer(
                clean,
                padding=True,
                truncation=True,
                max_length=self._max_tokens,
                return_tensors="pt",
            ).to(self._model.device)
            hidden_BLD = self._model(**batch).last_hidden_state
            mask_BL1 = batch["attention_mask"].unsqueeze(-1).to(hidden_BLD.dtype)
            # Divided by the number of real tokens: padding takes no part.
            mean_BD = (hidden_BLD * mask_BL1).sum(1) / mask_BL1.sum(1)
            vectors: Vectors = torch.nn.functional.normalize(mean_BD, dim=-1).cpu().numpy()
        return vectors

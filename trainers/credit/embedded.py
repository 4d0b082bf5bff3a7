"""Keys for free-form actions, which never repeat word by word: clusters of their embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from agentgym.errors import UsageError, boundary
from agentgym.registry import load

BATCH = 32
"""Actions encoded at once."""


class Embedded(BaseModel):
    """Actions are equal where their embeddings are near.

    An action founds a cluster of its own when its cosine to every founder so far is below
    `cosine`, else it joins the nearest founder's; so the keys depend on the order of the actions.

    Source: SALT (2510.20022) compares embeddings in AppWorld, by a model and a threshold that it
    does not state. The threshold is GRAFT's for states of SearchQA; the rule of founders is ours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    """Folder or hub name of an encoder of the MiniLM type, such as
    `sentence-transformers/all-MiniLM-L6-v2`."""
    cosine: float = Field(default=0.9, gt=0, le=1)
    """How near two actions must be."""
    max_tokens: int = Field(default=256, ge=1)
    """A longer action is cut; 256 is what all-MiniLM-L6-v2 was trained with."""
    device: str = "cpu"
    """Where the encoder runs; by default away from the GPU that a policy trains on."""

    def __call__(self, actions: Sequence[str]) -> list[int]:
        """The cluster of each action, parallel to `actions`.

        Raises:
            UsageError: the model cannot be loaded.
        """
        if not actions:
            return []
        encode = _encoder(self.model, self.max_tokens, self.device)
        batches = [actions[start : start + BATCH] for start in range(0, len(actions), BATCH)]
        return cluster(np.concatenate([encode(batch) for batch in batches]), self.cosine)


def cluster(vectors_AD: npt.NDArray[np.float32], cosine: float) -> list[int]:
    """The number of each unit vector's cluster; see `Embedded`.

    >>> cluster(np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]), 0.7)
    [0, 1, 1]
    """
    cosines_AA = vectors_AD @ vectors_AD.T
    founders: list[int] = []
    keys: list[int] = []
    for row in cosines_AA:
        near = row[founders]
        if near.max(initial=-np.inf) < cosine:
            keys.append(len(founders))
            founders.append(len(keys) - 1)
        else:
            keys.append(int(near.argmax()))
    return keys


@lru_cache(maxsize=1)
def _encoder(model: str, max_tokens: int, device: str) -> Any:
    """Kept, since credit is computed at every train step."""
    load_encoder = load("agentgym.trainers.encoder:load_encoder")
    with boundary(UsageError, f"cannot load the encoder '{model}'"):
        return load_encoder(model, max_tokens=max_tokens, device=device)

"""Gymnasium spaces that accept natural text (`spaces.Text` refuses spaces and accents)."""

from __future__ import annotations

from typing import Any

import gymnasium

from agentgym.types import Observation

SAMPLE_CHARS = "abcdefghijklmnopqrstuvwxyz 0123456789[]\n"


class UnicodeText(gymnasium.Space[str]):
    """Every string, the empty one and lone surrogates included."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(shape=None, dtype=None, seed=seed)

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """A short random string."""
        length = int(self.np_random.integers(0, 20))
        picks = self.np_random.integers(0, len(SAMPLE_CHARS), size=length)
        return "".join(SAMPLE_CHARS[i] for i in picks)

    def contains(self, x: Any) -> bool:
        """Whether `x` is a string."""
        return isinstance(x, str)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ObservationSpace(gymnasium.Space[Observation]):
    """Every `Observation`."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(shape=None, dtype=None, seed=seed)

    def sample(self, mask: Any = None, probability: Any = None) -> Observation:
        """An observation with a short random text."""
        return Observation(text=str(self.np_random.integers(0, 1000)))

    def contains(self, x: Any) -> bool:
        """Whether `x` is an observation."""
        return isinstance(x, Observation)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

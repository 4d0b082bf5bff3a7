"""The engine protocol: what turns a token sequence into the next action's tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from agentgym.types import EpisodeId, Finish


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation, as chat templates take it."""

    role: Literal["system", "user", "assistant"]
    content: str
    images: tuple[bytes, ...] = ()
    """PNG files, shown before the text."""


class Sampler(BaseModel):
    """How tokens are drawn. A token must pass `top_p`, `top_k` and `min_p`, each of which looks at
    the whole distribution at the temperature; one of those that pass all is drawn."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    temperature: Literal[0] | Annotated[float, Field(ge=0.05)] = 1.0
    """Logits are divided by it; 0 is greedy. Below 0.05, `Generation.kept` could be too small for
    a float."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """The likeliest tokens pass, as few as together have this probability, and every other that is
    exactly as likely as the last of them."""
    top_k: int | None = Field(default=None, ge=1)
    """So many of the likeliest tokens pass, and every other that is exactly as likely as the last
    of them; None: all."""
    min_p: float = Field(default=0.0, ge=0, le=1)
    """Tokens at least this many times as likely as the likeliest one pass."""
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """An action ends with the token that completes one of these strings in its text, whatever else
    is in that token."""

    @property
    def plain(self) -> bool:
        """Whether tokens come as the model has them, at temperature 1."""
        return self.temperature == 1 and not self.truncates

    @property
    def truncates(self) -> bool:
        """Whether some tokens cannot be drawn."""
        return self.top_p < 1 or self.top_k is not None or self.min_p > 0

    def greedy(self) -> Sampler:
        """The same one, but it takes the likeliest token."""
        return self.model_copy(update={"temperature": 0.0})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Ask for one action."""

    episode: EpisodeId
    """Names the episode for its cache between turns, and orders rows by (step, group, member)."""
    turn: int
    ids: tuple[int, ...]
    """The whole sequence so far, as the model must see it."""
    messages: tuple[Message, ...]
    """The same as text, for engines that take no tokens; engines that do must use `ids`."""
    images: tuple[bytes, ...] = ()
    """PNG files, in the order of their placeholders in `ids`."""
    seed: int
    """64 bits; with the token's index it fixes the sampling noise, whatever the batch."""
    max_tokens: int
    sampler: Sampler = Sampler()


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One action, as sampled."""

    ids: tuple[int, ...]
    """Ends with the end token, or the one that completes a stop string, when `finish` is
    "stop"."""
    logprobs: tuple[float, ...]
    """Parallel to `ids`: natural log, of the untruncated model at temperature 1."""
    finish: Finish
    kept: tuple[float, ...] | None = None
    """Parallel to `ids`; see `Turn.kept`."""


class Engine(Protocol):
    """What generates. Many `generate` calls are under way at once; the engine batches them."""

    async def generate(self, request: Request) -> Generation:
        """Sample one action.

        Raises:
            EngineError: generation failed; the episode becomes an infrastructure error.
        """
        ...

    def release(self, episode: EpisodeId) -> None:
        """The episode is over: forget what was kept for it. Unknown ids are ignored."""
        ...

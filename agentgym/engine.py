"""The engine protocol: what turns a token sequence into the next action's tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from agentgym.types import EpisodeId, Finish


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation, as chat templates take it."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Ask for one action."""

    episode: EpisodeId
    """Names the episode for its cache between turns, and orders rows by (group, member)."""
    turn: int
    ids: tuple[int, ...]
    """The whole sequence so far, as the model must see it."""
    messages: tuple[Message, ...]
    """The same as text, for engines that take no tokens; engines that do must use `ids`."""
    seed: int
    """64 bits; with the token's index it fixes the sampling noise, whatever the batch."""
    max_tokens: int
    temperature: float = 1.0
    """0 is greedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One action, as sampled."""

    ids: tuple[int, ...]
    """Ends with the end token when `finish` is "stop"."""
    logprobs: tuple[float, ...]
    """Parallel to `ids`: natural log, of the untruncated model at temperature 1."""
    finish: Finish


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

"""An engine that remembers what it gave, so that what is trained can be held against it."""

from __future__ import annotations

from dataclasses import dataclass

from agentgym.engine import Engine, Generation, Request
from agentgym.types import EpisodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """What an engine saw and gave in one turn."""

    prefix_hash: int
    """Of the ids that it saw; all of them would be quadratic in the length of an episode."""
    ids: tuple[int, ...]


class RecordedEngine:
    """Passes every request on to another engine and keeps what came back."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.sampled: dict[tuple[EpisodeId, int], Sampled] = {}
        """By episode and turn, counted from 0."""

    async def generate(self, request: Request) -> Generation:
        """What the other engine generates."""
        generation = await self._engine.generate(request)
        self.sampled[request.episode, request.turn] = Sampled(
            prefix_hash=hash(request.ids), ids=generation.ids
        )
        return generation

    def release(self, episode: EpisodeId) -> None:
        """See `Engine.release`; the record stays."""
        self._engine.release(episode)

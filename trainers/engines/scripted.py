"""The scripted engine: replays given actions. For tests, for people and for stored episodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from agentgym.engine import Generation, Request
from agentgym.errors import EngineError
from agentgym.types import EpisodeId

Said = str | Generation
"""An action as text, or a whole generation where its finish or logprobs matter."""
Script = Callable[[Request], Said] | Mapping[tuple[int, int], Sequence[Said]]
"""What to say to a request, or (group, member) -> one action per turn."""


def utf8(text: str) -> tuple[int, ...]:
    """The text's bytes as token ids; lone surrogates included."""
    return tuple(text.encode("utf-8", "surrogatepass"))


class ScriptedEngine:
    """An engine whose actions are known beforehand, each with probability 1."""

    def __init__(self, script: Script, *, encode: Callable[[str], Sequence[int]] = utf8) -> None:
        """Replay a script.

        Args:
            encode: an action's text to its token ids, the end token included where one is wanted.
        """
        self._script = script
        self._encode = encode

    async def generate(self, request: Request) -> Generation:
        """The script's answer to this request.

        Raises:
            EngineError: the script has no action for this episode and turn.
        """
        said = self._find_said(request)
        if said is None:
            raise EngineError(f"the script has no turn {request.turn} of {request.episode}")
        if isinstance(said, Generation):
            return said
        ids = tuple(self._encode(said))
        return Generation(ids=ids, logprobs=(0.0,) * len(ids), finish="stop")

    def release(self, episode: EpisodeId) -> None:
        """Nothing is kept between turns."""

    def _find_said(self, request: Request) -> Said | None:
        if callable(self._script):
            return self._script(request)
        actions = self._script.get((request.episode.group, request.episode.member), ())
        return actions[request.turn] if request.turn < len(actions) else None

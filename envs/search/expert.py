"""Whom a warm start imitates: the expert of the environment, and the slips of a beginner."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

from agentgym.types import Observation

if TYPE_CHECKING:
    from agentgym.envs.search.env import Search

NAME = re.compile(r"[A-Z][a-z]+ [A-Z][a-z]+")


class Researcher:
    """Plays `Search.expert_action`; its slips are searches for the wrong thing, and bad form.

    No slip is a wrong answer: that would end the episode.
    """

    def __init__(self, env: Search, *, seed: int) -> None:
        self._env = env
        self._random = random.Random(seed)
        self._names: list[str] = []

    def reset(self, first: Observation) -> None:
        """See `Demonstrator.reset`."""
        self._names = NAME.findall(first.text)

    def observe(self, action: str, observation: Observation) -> None:
        """See `Demonstrator.observe`."""
        self._names += NAME.findall(observation.text)

    def act(self) -> str:
        """See `Demonstrator.act`."""
        return self._env.expert_action()

    def mistake(self) -> str:
        """See `Demonstrator.mistake`: mostly a name from the texts so far that leads elsewhere."""
        right = self._env.expert_action()
        slips = [f"<search>{name}</search>" for name in self._names]
        slips = [slip for slip in slips if slip != right]
        if not slips or self._random.random() < 0.2:
            return right.replace("</", "<")  # an element that is never closed
        return self._random.choice(slips)

"""Whom a warm start imitates: the expert of the environment, and the slips of a beginner."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

from agentgym.envs.gui.experts.reading import Scene, Thing, click
from agentgym.types import Observation

if TYPE_CHECKING:
    from agentgym.envs.gui.env import GUI

WORD = re.compile(r"\w+")


class Beginner:
    """Plays `GUI.expert_action`; its slips are what can be put right again, and bad form.

    No slip is a click on a button or link: that would end the episode.
    """

    def __init__(self, env: GUI, *, seed: int) -> None:
        self._env = env
        self._random = random.Random(seed)

    def reset(self, first: Observation) -> None:
        """See `Demonstrator.reset`."""

    def observe(self, action: str, observation: Observation) -> None:
        """See `Demonstrator.observe`."""

    def act(self) -> str:
        """See `Demonstrator.act`."""
        return self._env.expert_action()

    def mistake(self) -> str:
        """See `Demonstrator.mistake`: mostly the wrong thing in a field."""
        scene, right = Scene(text=self._env.shown, did=self._env.did), self._env.expert_action()
        slips = [slip for thing in scene.things for slip in _slips(scene, thing) if slip != right]
        if not slips or self._random.random() < 0.2:
            return right.removesuffix("]")  # brackets that are never closed
        return self._random.choice(slips)


def _slips(scene: Scene, thing: Thing) -> list[str]:
    """What can be done wrongly with a thing."""
    if thing.role in ("checkbox", "radio"):
        return [click(thing)]
    if thing.role == "combobox":
        return [f"select[{thing.number}, {option}]" for option in thing.options]
    if thing.role == "textbox":
        # A wrong password as long as the right one would look right, and be handed in.
        lengths = set(map(len, scene.quoted))
        words = [word for word in WORD.findall(scene.task) if len(word) not in lengths]
        return [f"type[{thing.number}, {word}]" for word in words]
    return []

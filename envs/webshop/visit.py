"""A visit to the shop by web pages: an environment of its own, and what it showed last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agentgym.envs.webshop.env import WebShop
from agentgym.envs.webshop.markup import CLICK_FIELD, SEARCH_FIELD
from agentgym.types import Observation, Task


@dataclass(slots=True)
class Visit:
    """One visitor's environment, and what it showed last."""

    env: WebShop
    observation: Observation
    reward: float = 0.0
    terminated: bool = False

    @classmethod
    def begin(cls, task: Task, *, shop: str | int) -> Visit:
        """Enter the shop with a task."""
        env = WebShop(shop=shop, mode="html")
        observation, _ = env.reset(options={"task": task})
        return cls(env=env, observation=observation)

    def act(self, form: Mapping[str, str]) -> None:
        """Do what was posted; after a purchase nothing happens any more."""
        for field in (SEARCH_FIELD, CLICK_FIELD):
            if field in form and not self.terminated:
                action = f"{field}[{form[field]}]"
                self.observation, self.reward, self.terminated, _, _ = self.env.step(action)

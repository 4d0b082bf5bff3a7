"""Which tasks come next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from agentgym.panel import Panel
from agentgym.rollout import derive_seed
from agentgym.types import Task


class Uniform(BaseModel):
    """Every task once per pass over the panel, each pass in an order of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def __call__(self, panel: Panel, step: int, *, count: int, seed: int) -> Sequence[Task]:
        """The `count` tasks of a train step: a function of (seed, step), never of history."""
        size = len(panel)
        places = range(step * count, (step + 1) * count)
        orders = {
            epoch: np.random.default_rng(derive_seed(seed, "curriculum", epoch)).permutation(size)
            for epoch in {place // size for place in places}
        }
        return [panel.tasks[orders[place // size][place % size]] for place in places]

"""Parts of a run that send a signal to their own process at a chosen moment.

The environment variable SIGNAL_AT says when: "env 3 100 KILL" is in train step 3, at the 100th
step of an environment in it. Without it they are what they derive from.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from agentgym.envs.toys.corridor import Corridor
from agentgym.trainers.credit.salt import Salt
from agentgym.trainers.loss import Entries, PpoLoss
from agentgym.types import Credited, ScoredGroup

CALLS: Counter[tuple[str, int]] = Counter()
"""By part and train step since the process began; what follows credit is counted with the next."""
STEP = [0]


def come(where: str) -> None:
    """Count a call, and die of it if it is the one."""
    CALLS[where, STEP[0]] += 1
    match os.environ.get("SIGNAL_AT", "").split():
        case [chosen, step, count, *names] if (where, STEP[0]) == (chosen, int(step)):
            if CALLS[where, STEP[0]] == int(count):
                for name in names:
                    os.kill(os.getpid(), signal.Signals[f"SIG{name}"])


class DyingCorridor(Corridor):
    """Dies while the model plays."""

    max_turns = 16

    def step(self, action: str) -> Any:
        come("env")
        return super().step(action)


class DyingSalt(Salt):
    """Dies between play and update."""

    def __call__(self, groups: Sequence[ScoredGroup]) -> Credited:
        come("credit")
        STEP[0] += 1
        return super().__call__(groups)


class DyingPpo(PpoLoss):
    """Dies in the middle of the update, with half a gradient."""

    def __call__(self, entries: Entries) -> Tensor:
        come("loss")
        return super().__call__(entries)

"""CIGPO: information gain without returns, its weight rising over the run."""

from __future__ import annotations

from pydantic import Field

from agentgym.trainers.credit.igpo import Igpo, Ramp
from agentgym.trainers.credit.normalize import Std


class Cigpo(Igpo):
    """Each turn gets its own normalised gain, weighted, and the last turn the outcome.

    Nothing is summed to the end of the episode (`gamma` 0). The paper's gains come from the
    policy that the run began with and are sums over the answer's tokens: set the channel
    `information_gain` to `scorer: reference` and `tokens: sum`.

    Source: "CIGPO" (2607.16244). Where the report can be read either way, the weight multiplies
    the normalised gains: before normalising it would be divided out again.
    """

    std: Std = "sample"
    gamma: float = Field(default=0.0, ge=0, le=1)
    clip: float | None = Field(default=50.0, gt=0)
    """In nats, of summed gains."""
    gain_weight: Ramp = (0.1, 0.3)
    ramp_steps: int = Field(default=200, ge=1)
    """The paper's run has 200 steps."""

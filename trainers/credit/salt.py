"""SALT: turns that several episodes of a group share get the mean of those episodes' credit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agentgym.registry import load
from agentgym.trainers.credit.embedded import Embedded
from agentgym.trainers.credit.graph import describe, mean_by, merge_rate
from agentgym.trainers.credit.grpo import Grpo
from agentgym.trainers.credit.layout import (
    NEGLIGIBLE,
    FloatArray,
    Layout,
    credited,
    outcomes,
    share,
    successes,
)
from agentgym.trainers.credit.normalize import Std
from agentgym.trainers.credit.rloo import Rloo
from agentgym.trainers.credit.windows import Windows
from agentgym.types import Credited, ScoredGroup

Base: TypeAlias = Literal["mean", "rloo", "grpo_sample", "grpo_population"]

STD_OF_BASE: dict[Base, Std] = {
    "mean": "none",
    "grpo_sample": "sample",
    "grpo_population": "population",
}


class Salt(BaseModel):
    """An episode's outcome advantage, averaged where episodes of the group took the same step.

    Turns are edges of the group's trajectory graph (`Windows.walk`). All turns on one edge get the
    mean of the advantages of the episodes they belong to; a loop votes as often as it was run
    through. A turn on an edge of its own keeps its episode's advantage, and so does a turn that
    was cut. The sum over all turns stays what it was.

    Source: "SALT" (2510.20022), Algorithm 1, as described by others: there is no official code.
    Deviation: near the start a state also holds the first observation, so that episodes of one
    task that began differently share no state.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    reads: ClassVar[frozenset[str]] = frozenset({"outcome"})

    key_window: int = Field(default=3, ge=1)
    """How many (action, observation) pairs make a state; 3 in the code that follows the paper."""
    action_keys: Embedded | str | None = None
    """For free-form actions, which never repeat word by word: the settings of `Embedded`, or
    `"module:function"`, which is given the distinct actions of a group and returns a key for each,
    such as the number of its cluster."""
    base: Base = "grpo_sample"
    """The outcome advantage to start from; the paper uses GRPO and RLOO. "mean" only centres."""
    eps: float = Field(default=1e-6, ge=0)
    """Of the GRPO bases; see `Grpo`."""
    min_spread: float = Field(default=1e-6, gt=0)
    """See `Grpo`."""

    def of_episodes(self, outcomes: FloatArray, layout: Layout) -> FloatArray:
        """The outcome advantage of each episode before any merging, `[E]`."""
        if self.base == "rloo":
            return Rloo(min_spread=self.min_spread).of_episodes(outcomes, layout)
        base = Grpo(std=STD_OF_BASE[self.base], eps=self.eps, min_spread=self.min_spread)
        return base.of_episodes(outcomes, layout)

    def windows(self, groups: Sequence[ScoredGroup]) -> Windows:
        """The graphs that the scheme looks at."""
        keys = self.action_keys
        alike = load(keys) if isinstance(keys, str) else keys
        return Windows.of(groups, Layout.of(groups), action_keys=alike)

    def __call__(self, groups: Sequence[ScoredGroup]) -> Credited:
        """One advantage a turn.

        The metrics are those of `describe` and `merge_rate`. States are windows of history there,
        and a turn's credit is its whole advantage: rivals tie where all advantages out of their
        state are equal, by merging or because their episodes fared alike. A merge rate near 0
        means that keys are too strict and SALT is its base. `salt/num_merged_edges` counts
        distinct edges; `salt/changed_rate` and `salt/unmergeable_rate` are the shares of all turns
        whose credit merging really changed, and that were cut.
        """
        windows = self.windows(groups)
        layout = windows.layout
        own = self.of_episodes(outcomes(groups), layout)[layout.turn_episode]
        source, edge, _ = windows.walk(self.key_window)
        merged = mean_by(own, edge)
        compared = describe(
            layout,
            merged,
            source=source,
            action=windows.action,
            compared=windows.mergeable,
            won=successes(groups),
        )
        metrics = {
            "salt/num_merged_edges": float((np.bincount(edge) > 1).sum()),
            "salt/changed_rate": share(np.abs(merged - own) > NEGLIGIBLE),
            "salt/unmergeable_rate": share(~windows.mergeable),
        }
        return credited(layout, merged, merge_rate(edge) | compared | metrics)

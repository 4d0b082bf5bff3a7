"""Advantage estimators, one file each. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from agentgym.types import Credited, ScoredGroup

WORDS = frozenset({"outcome", "turn", "states", "values", "batch"})
"""Episodes' outcomes; turns' rewards; the states that turns led to; a critic's values, so that one
is trained; the other groups of the train step, so that it is given all of them, those of other
processes included."""


class Credit(Protocol):
    """A credit scheme: scored groups to one advantage for every turn.

    A pure function of its arguments and its own fields: it sees valid members only and no tensor
    of the model, and it writes nothing. A group's advantages depend on that group alone, unless
    the scheme reads "batch".
    """

    reads: ClassVar[frozenset[str]]
    """What it looks at: words of `WORDS`, and reward channels by name."""

    def __call__(self, groups: Sequence[ScoredGroup]) -> Credited:
        """The advantages `[group][member][turn]`, parallel to `groups`, and metrics."""
        ...

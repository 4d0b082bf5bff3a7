"""A loss that says what it needs of a credit scheme."""

from __future__ import annotations

from typing import ClassVar

from agentgym.trainers.loss import PpoLoss


class OneAdvantage(PpoLoss):
    """All tokens of an episode must have the same advantage."""

    one_advantage: ClassVar[bool] = True

"""Which groups a train step learns from."""

from __future__ import annotations

from agentgym.trainers.credit import Credit
from agentgym.trainers.credit.layout import NEGLIGIBLE
from agentgym.types import Group

MIN_SPREAD = 1e-6
"""Scores closer than this are equal: above rounding, below any difference a task means."""


def carries_credit(group: Group) -> bool:
    """Whether any turn or token of the group has an advantage."""
    rows: list[tuple[float, ...]] = []
    for episode in group.valid:
        rows += episode.token_advantages or (episode.advantages or (),)
    return any(abs(advantage) > NEGLIGIBLE for row in rows for advantage in row)


def is_informative(group: Group, credit: Credit) -> bool:
    """Whether dynamic sampling keeps the group: its scores differ, or its turns still have credit.

    It is the raw score that must differ. An outcome with other channels in it (a price on invalid
    actions, say) differs almost always, and a group in which all fail would pass for one to learn
    the task from. But a scheme that reads more than outcomes finds credit where all scores are
    equal: such a group is kept as long as it has any.

    Source: DAPO (2503.14476), dynamic sampling. Deviation: no more groups are played in place of
    those left out; the mean is over what is kept.
    """
    if not carries_credit(group):
        return False
    scores = [episode.score for episode in group.valid if episode.score is not None]
    if max(scores) - min(scores) >= MIN_SPREAD:
        return True
    return bool(credit.reads - {"outcome", "batch"})

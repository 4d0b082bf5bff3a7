"""What a batch of groups looked like, as named numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from agentgym.types import Group, Status


def describe(groups: Sequence[Group]) -> dict[str, float]:
    """Means over valid episodes, counts over all of them. Every key is always there."""
    episodes = [episode for group in groups for episode in group.episodes]
    valid = [episode for group in groups for episode in group.valid]
    turns = [turn for episode in valid for turn in episode.turns]
    sampled = sum(len(turn.action_ids) for turn in turns)
    metrics = {
        "success": _mean(float(bool(e.success)) for e in valid),
        "score": _mean(e.score for e in valid if e.score is not None),
        "turns/mean": _mean(float(len(e.turns)) for e in valid),
        "turns/invalid": _mean(float(t.invalid is not None) for t in turns),
        "turns/num_cut": float(sum(t.finish == "length" for t in turns)),
        "tokens/sampled": float(sampled),
        "tokens/per_turn": sampled / max(1, len(turns)),
        "segments/breaks": float(sum(e.turns[-1].segment for e in valid if e.turns)),
        "groups/all": float(len(groups)),
        "groups/without_two_valid": float(sum(len(group.valid) < 2 for group in groups)),
    }
    for status in Status:
        metrics[f"status/{status}"] = float(sum(e.status is status for e in episodes))
    return metrics


def join(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The metrics of several parts as one: what begins with `num_` summed, all else averaged.

    Names are `GROUP/NAME`. A part without a name counts for nothing in that name's mean, which is
    over parts of equal weight.
    """
    values: dict[str, list[float]] = {}
    for part in parts:
        for name, value in part.items():
            values.setdefault(name, []).append(value)
    return {
        name: float(np.sum(found) if _is_count(name) else np.mean(found))
        for name, found in values.items()
    }


def _is_count(name: str) -> bool:
    return name.rpartition("/")[2].startswith("num_")


def _mean(values: Iterable[float]) -> float:
    """The mean; 0 of nothing."""
    found = list(values)
    return float(np.mean(found)) if found else 0.0

"""Fidelity: whether what was trained is what was sampled, and what errors of ours cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentgym.errors import AgentGymError
from agentgym.trainers.config import FidelityConfig, Recipe
from agentgym.trainers.evaluate import Figures
from agentgym.types import Status


class FidelityError(AgentGymError):
    """A threshold of the fidelity report was passed: the run's numbers are not to be trusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """Whether what was trained is what was sampled, over all train steps of a run."""

    tokens_sampled: int
    tokens_trained: int
    tokens_masked: int
    """Sampled by valid episodes, not trained: cut turns, and groups without any advantage."""
    tokens_reencoded: int
    """Trained ids that differ from the ids that the engine sampled."""
    prefix_breaks: int
    turns_truncated: int
    max_logprob_gap: float
    """Largest |sampling-time - train-time logprob|, in nats."""
    mean_logprob_gap: float
    """Its mean over trained tokens."""
    far_ratios: float
    """Share of trained tokens whose two probabilities have a ratio outside [0.8, 1.2]."""
    infra_errors: int
    score_errors: int
    groups: int
    groups_dropped_alike: int
    """Left out of the update, although two members are valid: no turn got an advantage, or dynamic
    sampling found all scores equal."""
    groups_dropped_small: int
    """Left out of the update, as errors of ours left fewer than two members to compare."""
    episodes: int
    evaluation_errors: int
    """Episodes of the evaluations lost to errors of ours; they are in no figure."""
    evaluation_episodes: int

    @property
    def num_lost(self) -> int:
        """Episodes lost to errors of ours."""
        return self.infra_errors + self.score_errors + self.evaluation_errors

    @property
    def lost_share(self) -> float:
        """Of the train steps' episodes."""
        return (self.infra_errors + self.score_errors) / max(1, self.episodes)

    @property
    def evaluation_lost_share(self) -> float:
        """Of the evaluations' episodes."""
        return self.evaluation_errors / max(1, self.evaluation_episodes)

    def loses_too_many(self, limits: FidelityConfig) -> bool:
        """Whether the train steps or the evaluations lost more episodes than they may."""
        return max(self.lost_share, self.evaluation_lost_share) > limits.max_infra_errors

    def problems(self, recipe: Recipe) -> list[str]:
        """What passed its threshold; lost episodes come last."""
        limits, found = recipe.fidelity, []
        if self.tokens_reencoded:
            found.append(f"{self.tokens_reencoded} trained tokens are not the sampled ones")
        found += self._gap_problems(recipe)
        for share, which in (
            (self.lost_share, "episodes"),
            (self.evaluation_lost_share, "evaluated episodes"),
        ):
            if share > limits.max_infra_errors:
                found.append(f"{share:.1%} of the {which} were lost to errors of ours")
        return found

    def _gap_problems(self, recipe: Recipe) -> list[str]:
        limits, found = recipe.fidelity, []
        if recipe.model.dtype == "float32":
            gap, limit, what = self.max_logprob_gap, limits.max_logprob_gap, ""
        else:
            gap, limit, what = self.mean_logprob_gap, limits.max_mean_logprob_gap, " on average"
            if self.far_ratios > limits.max_far_ratios:
                found.append(
                    f"{self.far_ratios:.1%} of the trained tokens are above 1.2 or below 0.8 times "
                    f"as likely as when sampled, allowed are {limits.max_far_ratios:.1%}"
                )
        if gap > limit:
            found.append(
                f"sampling-time and train-time logprobs differ by {gap:.2e}{what}, "
                f"allowed are {limit:.0e}"
            )
        return found


def measure_fidelity(rows: Sequence[Mapping[str, Any]], evaluations: Sequence[Figures]) -> Fidelity:
    """Sum up the train steps' metrics and the evaluations' losses."""
    lost = sum(result.num_errors for result in evaluations)
    steps = [row for row in rows if "step" in row]

    def total(name: str) -> int:
        return round(float(sum(row.get(name, 0.0) for row in steps)))

    def by_token(name: str) -> float:
        """The mean over all trained tokens of the run."""
        summed = sum(row.get(name, 0.0) * row["tokens/trained"] for row in steps)
        return float(summed / max(1, trained))

    sampled, trained = total("tokens/sampled"), total("tokens/trained")
    small = total("groups/dropped_without_two_valid")
    return Fidelity(
        tokens_sampled=sampled,
        tokens_trained=trained,
        tokens_masked=sampled - trained,
        tokens_reencoded=total("tokens/reencoded"),
        prefix_breaks=total("segments/breaks"),
        turns_truncated=total("turns/num_cut"),
        max_logprob_gap=max((row.get("logprob_gap", 0.0) for row in steps), default=0.0),
        mean_logprob_gap=by_token("logprob_gap_mean"),
        far_ratios=by_token("ratios_far"),
        infra_errors=total(f"status/{Status.INFRA_ERROR}"),
        score_errors=total(f"status/{Status.SCORE_ERROR}"),
        groups=total("groups/all"),
        groups_dropped_alike=total("groups/dropped") - small,
        groups_dropped_small=small,
        episodes=sum(total(f"status/{status}") for status in Status),
        evaluation_errors=lost,
        evaluation_episodes=lost + sum(result.episodes for result in evaluations),
    )

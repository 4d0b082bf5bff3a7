"""A critic: what the policy will come to from here, by a small head over its hidden states.

The head reads the states that the policy predicts its next token from and passes no gradient back
to them, so that training it leaves the policy alone; it has its own learning rate.

Dimension letters: W tokens, H hidden width of the policy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from agentgym.trainers.pack import TrainSequence, by_episode, pack
from agentgym.trainers.policy import Policy
from agentgym.trainers.scorer import TOKEN_BUDGET
from agentgym.trainers.world import World
from agentgym.types import Credited, Episode, EpisodeId, Group


class Critic(nn.Module):
    """The value of the state before each token; 0 everywhere until it is trained."""

    def __init__(self, hidden_size: int, *, seed: int, clip: float) -> None:
        """Make a head whose weights depend on the seed alone, hence equal in every process.

        Args:
            clip: of the value loss, see `add_gradients`.
        """
        super().__init__()
        self.clip = clip
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.inner = nn.Linear(hidden_size, hidden_size)
            self.outer = nn.Linear(hidden_size, 1)
        # Random first values would be the first advantages.
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, states_WH: Tensor) -> Tensor:
        """The values `[W]`, fp32."""
        inner_WH = torch.nn.functional.gelu(self.inner(states_WH.float()))
        values: Tensor = self.outer(inner_WH)
        return values[:, 0]

    @classmethod
    def of(cls, policy: Policy, *, seed: int, clip: float) -> Critic:
        """An untrained critic beside a policy."""
        return cls(policy.model.config.get_text_config().hidden_size, seed=seed, clip=clip).to(
            policy.device
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """The sampled tokens of one micro-batch of segments."""

    states_WH: Tensor
    places: tuple[tuple[EpisodeId, int, int], ...]
    """(episode, turn, token of the turn) of each, from 0."""


def fill_values(groups: Sequence[Group], critic: Critic, policy: Policy) -> tuple[Group, ...]:
    """The groups with the critic's values written on the turns of valid episodes."""
    found: defaultdict[tuple[EpisodeId, int], list[float]] = defaultdict(list)
    with torch.no_grad():
        for batch in _batches(groups, policy, budget=TOKEN_BUDGET):
            # A turn lies in one segment, whose tokens come in order.
            for (episode, turn, _), value in zip(
                batch.places, critic(batch.states_WH).tolist(), strict=True
            ):
                found[episode, turn].append(value)

    def filled(episode: Episode) -> Episode:
        if not episode.valid:
            return episode
        turns = tuple(
            replace(turn, values=tuple(found[episode.id, k]))
            for k, turn in enumerate(episode.turns)
        )
        return replace(episode, turns=turns)

    return tuple(
        replace(group, episodes=tuple(filled(episode) for episode in group.episodes))
        for group in groups
    )


def add_gradients(
    groups: Sequence[Group],
    credited: Credited,
    *,
    critic: Critic,
    policy: Policy,
    budget: int,
    world: World,
) -> dict[str, float]:
    """Add the gradient of the value loss to the critic's, and give the loss's metrics.

    The loss is `max((v - R)^2, (v_clipped - R)^2) / 2`, the mean over all targets of the step on
    all processes, where `v_clipped` is at most `critic.clip` from the value that credit was given.

    Returns:
        `critic/loss`, `critic/value` (the mean before the update), and `critic/explained`, the
        share of the targets' variance that the values explain.

    Source: PPO's released code for the clipped value loss; not in its paper.
    """
    targets = by_episode(groups, credited.value_targets)
    old = {e.id: [turn.values or () for turn in e.turns] for g in groups for e in g.valid}
    mine = _moments(targets, old)
    total = world.sum_floats(mine)
    count = max(total["count"], 1.0)
    loss_sum = 0.0
    for batch in _batches(groups, policy, budget=budget):
        chosen = [
            (row, target, old[episode][turn][token])
            for row, (episode, turn, token) in enumerate(batch.places)
            if (target := targets[episode][turn][token]) is not None
        ]
        if not chosen:
            continue
        rows, wanted, before = zip(*chosen, strict=True)
        values_W = critic(batch.states_WH[list(rows)])
        targets_W, old_W = (torch.tensor(each, device=values_W.device) for each in (wanted, before))
        near_W = old_W + (values_W - old_W).clamp(-critic.clip, critic.clip)
        errors_W = torch.maximum((values_W - targets_W) ** 2, (near_W - targets_W) ** 2)
        loss = 0.5 * errors_W.sum() / count
        loss.backward()
        loss_sum += float(loss.detach())
    spread = total["target2"] / count - (total["target"] / count) ** 2
    return {
        "critic/loss": world.sum_floats({"loss": loss_sum})["loss"],
        "critic/value": total["value"] / count,
        "critic/explained": 1 - total["error2"] / count / spread if spread > 1e-12 else 0.0,
    }


def _moments(
    targets: Mapping[EpisodeId, Sequence[Sequence[float | None]]],
    old: Mapping[EpisodeId, Sequence[Sequence[float]]],
) -> dict[str, float]:
    """Sums over the tokens that have a target."""
    pairs = [
        (target, value)
        for episode, turns in targets.items()
        for row, values in zip(turns, old[episode], strict=True)
        for target, value in zip(row, values, strict=True)
        if target is not None
    ]
    return {
        "count": float(len(pairs)),
        "target": sum(target for target, _ in pairs),
        "target2": sum(target**2 for target, _ in pairs),
        "value": sum(value for _, value in pairs),
        "error2": sum((target - value) ** 2 for target, value in pairs),
    }


def _batches(groups: Sequence[Group], policy: Policy, *, budget: int) -> Iterator[_Batch]:
    """All sampled tokens of valid episodes, those of cut turns too."""
    episodes = (
        replace(episode, advantages=(0.0,) * len(episode.turns), token_advantages=None)
        for group in groups
        for episode in group.valid
    )
    sequences = pack(episodes, mask_truncated=False)
    micro_batches = policy.plan(
        [sequence.ids for sequence in sequences],
        [sequence.trained for sequence in sequences],
        budget=budget,
        images=[sequence.images for sequence in sequences],
    )
    for batch in micro_batches:
        with torch.no_grad():
            states_WH = policy.states(batch)
        members = [sequences[index] for index in batch.members]
        yield _Batch(
            states_WH=states_WH, places=tuple(place for s in members for place in _places(s))
        )


def _places(sequence: TrainSequence) -> Iterator[tuple[EpisodeId, int, int]]:
    seen: defaultdict[int, int] = defaultdict(int)
    for turn in sequence.turns:
        yield sequence.episode, turn, seen[turn]
        seen[turn] += 1

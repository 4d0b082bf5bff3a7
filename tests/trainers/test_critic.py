"""The critic: its values, its loss, its place in the train step, and that a run resumes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from small_runs import ALONE, small_recipe, small_trainer

from agentgym import registry
from agentgym.trainers.build import make_critic, make_optimizer
from agentgym.trainers.config import channels
from agentgym.trainers.critic import Critic, add_gradients, fill_values
from agentgym.trainers.pack import assign
from agentgym.trainers.policy import Policy
from agentgym.trainers.rewards.combine import combine
from agentgym.trainers.step import StepResult, Trainer, train_step
from agentgym.types import Credited, Episode, Group, ScoredGroup

SCHEMES = ["turn_gae", "gae_token", "bilevel_gae"]


def critic_for(policy: Policy, *, clip: float = 100.0) -> Critic:
    """A critic that says something: its last layer is not zero."""
    critic = Critic.of(policy, seed=3, clip=clip)
    with torch.no_grad():
        torch.nn.init.normal_(critic.outer.weight, generator=torch.Generator().manual_seed(1))
    return critic


def trainer_with(model: Path, scheme: str, **overrides: Any) -> Trainer:
    recipe = small_recipe(model, credit={"name": scheme}, **overrides)
    trainer = small_trainer(recipe)
    critic = make_critic(recipe, trainer.policy)
    optimizer = make_optimizer(recipe, trainer.policy, critic)
    return replace(trainer, critic=critic, optimizer=optimizer)


@pytest.fixture(scope="module")
def played(corridor_model: Path) -> StepResult:
    """A step's groups, of which every turn was rendered anew."""
    return train_step(trainer_with(corridor_model, "turn_gae", render={"history": 2}), 1)


def slow_values(policy: Policy, critic: Critic, episode: Episode) -> list[list[torch.Tensor]]:
    """The critic's value before every sampled token, one segment at a time."""
    rows = []
    for k, turn in enumerate(episode.turns):
        seen = [t for t in episode.turns[:k] if t.segment == turn.segment]
        ids = [i for t in seen for i in (*t.prompt_ids, *t.action_ids)] + list(turn.prompt_ids)
        whole = torch.tensor([[*ids, *turn.action_ids]])
        with torch.no_grad():
            states = policy.model.base_model(input_ids=whole).last_hidden_state[0]
        places = range(len(ids), len(ids) + len(turn.action_ids))
        rows.append([critic(states[place - 1, None])[0] for place in places])
    return rows


def test_values_are_those_of_one_slow_pass_each(corridor_model: Path, played: StepResult) -> None:
    policy = Policy.load(corridor_model, device="cpu")
    critic = critic_for(policy)
    filled = fill_values(played.groups[:1], critic, policy)
    assert any(e.turns[-1].segment > 0 for g in filled for e in g.valid)
    for group in filled:
        for episode in group.valid:
            slow = slow_values(policy, critic, episode)
            for turn, row in zip(episode.turns, slow, strict=True):
                assert turn.values == pytest.approx([float(v.detach()) for v in row], abs=1e-5)


def head_gradients(
    groups: Sequence[Group], credited: Credited, critic: Critic, policy: Policy, budget: int
) -> list[torch.Tensor]:
    critic.zero_grad()
    add_gradients(groups, credited, critic=critic, policy=policy, budget=budget, world=ALONE)
    return [p.grad.clone() for p in critic.parameters() if p.grad is not None]


@pytest.mark.parametrize(
    ("scheme", "clip"), [("turn_gae", 100.0), ("gae_token", 100.0), ("gae_token", 0.01)]
)
def test_the_loss_is_the_slow_one_however_it_is_packed(
    corridor_model: Path, played: StepResult, scheme: str, clip: float
) -> None:
    policy = Policy.load(corridor_model, device="cpu")
    critic = critic_for(policy, clip=clip)
    groups = fill_values(played.groups[:1], critic, policy)
    credited = registry.credits.make(scheme)(combine(groups, {}))
    # Move the head, or the clip has nothing to do.
    with torch.no_grad():
        critic.outer.weight.mul_(1.3)
    errors = []
    assert credited.value_targets is not None
    for group, members in zip(groups, credited.value_targets, strict=True):
        for episode, targets in zip(group.valid, members, strict=True):
            slow = slow_values(policy, critic, episode)
            for turn, row, wanted in zip(episode.turns, slow, targets, strict=True):
                for value, old, target in zip(row, turn.values or (), wanted, strict=True):
                    if target is None:
                        continue
                    near = old + (value - old).clamp(-clip, clip)
                    errors.append(0.5 * torch.maximum((value - target) ** 2, (near - target) ** 2))
    critic.zero_grad()
    torch.stack(errors).mean().backward()
    expected = [p.grad.clone() for p in critic.parameters() if p.grad is not None]
    assert max(float(g.abs().max()) for g in expected) > 1e-3
    for budget in (1, 100_000):
        found = head_gradients(groups, credited, critic, policy, budget)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_step_stores_what_recomputes_its_advantages_exactly(
    corridor_model: Path, scheme: str
) -> None:
    trainer = trainer_with(corridor_model, scheme)
    result = train_step(trainer, 0)
    assert trainer.critic is not None
    credited = trainer.credit(combine(result.groups, channels(trainer.recipe)))
    assert assign(result.groups, credited) == result.groups
    tokens = [e.token_advantages for g in result.groups for e in g.valid]
    assert all((rows is None) == (scheme == "turn_gae") for rows in tokens)
    assert result.metrics["tokens/trained"] > 0
    assert result.metrics["critic/loss"] > 0
    assert float(trainer.critic.outer.weight.detach().abs().max()) > 0


def test_the_critic_has_its_own_learning_rate_and_leaves_the_policys_gradient_alone(
    corridor_model: Path,
) -> None:
    trainer = trainer_with(corridor_model, "turn_gae", critic={"lr": 0.5})
    train_step(trainer, 0)
    rates = [group["lr"] for group in trainer.optimizer.param_groups]
    # The first of five warm-up steps.
    assert rates == pytest.approx([1e-3 / 5, 0.5 / 5])
    alone = replace(trainer_with(corridor_model, "turn_gae"), recipe=trainer.recipe)
    assert alone.critic is not None
    train_step(replace(alone, critic=None, credit=Blind()), 0)
    for one, other in zip(
        trainer.policy.model.parameters(), alone.policy.model.parameters(), strict=True
    ):
        torch.testing.assert_close(one, other)


class Blind:
    """Turn-level GAE under a critic that knows nothing, as one is before its first update."""

    reads: ClassVar[frozenset[str]] = frozenset({"turn", "values", "batch"})

    def __call__(self, groups: Sequence[ScoredGroup]) -> Credited:
        def blind(episode: Episode) -> Episode:
            turns = (replace(t, values=(0.0,) * len(t.action_ids)) for t in episode.turns)
            return replace(episode, turns=tuple(turns))

        seen = [
            replace(g, members=tuple(replace(m, episode=blind(m.episode)) for m in g.members))
            for g in groups
        ]
        credited: Credited = registry.credits.make("turn_gae")(seen)
        return credited


def test_the_critic_learns_to_tell_what_will_come(corridor_model: Path) -> None:
    """On fixed episodes, against their returns (lambda 1)."""
    trainer = trainer_with(corridor_model, "gae_token")
    groups = train_step(trainer, 0).groups
    credited = trainer.credit(combine(groups, {}))
    policy = Policy.load(corridor_model, device="cpu")
    critic = Critic.of(policy, seed=0, clip=100.0)
    optimizer = torch.optim.Adam(critic.parameters(), lr=1e-2)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        metrics = add_gradients(
            groups, credited, critic=critic, policy=policy, budget=8192, world=ALONE
        )
        optimizer.step()
        losses.append(metrics["critic/loss"])
    assert losses[-1] < 0.8 * losses[0]
    # What the report says of the values that credit was given: before, those of a new critic.
    assert metrics["critic/explained"] <= 0
    filled = fill_values(groups, critic, policy)
    metrics = add_gradients(
        filled, credited, critic=critic, policy=policy, budget=8192, world=ALONE
    )
    assert metrics["critic/explained"] > 0


def test_schemes_without_values_keep_no_critic(corridor_model: Path) -> None:
    recipe = small_recipe(corridor_model)
    assert make_critic(recipe, Policy.load(corridor_model, device="cpu")) is None

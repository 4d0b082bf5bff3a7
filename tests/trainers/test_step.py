"""The train step against a slow one: every sequence alone, full logits, credit by the oracles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import small_recipe, small_trainer
from steps import NO_CLIPPING, Keeping, gradients_of, stepped
from torch import Tensor

from agentgym.engine import Generation, Request
from agentgym.errors import EngineError
from agentgym.render import Conversation, Prompt, Renderer, Template
from agentgym.trainers.config import channels
from agentgym.trainers.credit.salt import Salt
from agentgym.trainers.fidelity import measure_fidelity
from agentgym.trainers.loss import Entries, PpoLoss
from agentgym.trainers.policy import Policy
from agentgym.trainers.rewards.combine import combine
from agentgym.trainers.step import DivergedError, StepResult, Trainer, train_step
from agentgym.types import Episode, EpisodeId, Group, Observation
from oracles.outcome import grpo_sample
from oracles.salt import Rollout, Step, salt
from oracles.truncation import nucleus


def oracle_advantages(group: Group) -> list[list[float]]:
    """SALT with a window of 3 over the valid members, by the oracles."""
    valid = group.valid
    rollouts = [
        Rollout(
            first=episode.first.key if episode.first else "",
            steps=[
                Step(
                    action=turn.action if turn.action is not None else ("invalid", turn.invalid),
                    observation=turn.observation.key,
                    cut=turn.finish != "stop",
                )
                for turn in episode.turns
            ],
        )
        for episode in valid
    ]
    scores = [episode.score for episode in valid if episode.score is not None]
    return salt(rollouts, grpo_sample(scores), key_window=3) if scores else []


def token_logprobs(model: Any, episode: Episode) -> list[tuple[Tensor, float, int, Tensor]]:
    """(logprob now, logprob when sampled, turn, logprobs of all tokens) of every sampled token."""
    ids: list[int] = []
    places: list[tuple[int, float, int]] = []
    for number, turn in enumerate(episode.turns):
        ids += turn.prompt_ids
        if turn.finish != "length":
            for offset, old in enumerate(turn.logprobs):
                places.append((len(ids) + offset, old, number))
        ids += turn.action_ids
    logprobs = model(input_ids=torch.tensor([ids])).logits[0].float().log_softmax(-1)
    return [
        (logprobs[place - 1, ids[place]], old, number, logprobs[place - 1])
        for place, old, number in places
    ]


def slow_gradients(
    model_folder: Path,
    groups: Sequence[Group],
    *,
    kl: float = 0.0,
    reference_folder: Path | None = None,
    top_p: float = 1.0,
) -> tuple[list[Tensor], float, int]:
    """Gradients, mean loss and number of trained tokens, one episode and one token at a time."""
    model = Policy.load(model_folder, device="cpu").model
    reference = Policy.load(reference_folder or model_folder, device="cpu").model
    losses = []
    for group in groups:
        advantages = oracle_advantages(group)
        if kl == 0 and not any(abs(value) > 1e-12 for row in advantages for value in row):
            continue
        for episode, row in zip(group.valid, advantages, strict=True):
            with torch.no_grad():
                before = [float(logprob) for logprob, *_ in token_logprobs(reference, episode)]
            for (logprob, old, turn, whole), ref in zip(
                token_logprobs(model, episode), before, strict=True
            ):
                ratio = (logprob - old).exp()
                bound = ratio.clamp(0.8, 1.2)
                loss = -torch.minimum(ratio * row[turn], bound * row[turn])
                loss = loss + kl * ((ref - logprob).exp() - (ref - logprob) - 1)
                probs = whole.detach().exp().tolist()
                # The sampler divided by the mass of the nucleus, so the model's own share is it.
                losses.append(loss * sum(probs[token] for token in nucleus(probs, top_p)))
    total = torch.stack(losses).mean()
    total.backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return gradients, float(total.detach()), len(losses)


def assert_close(found: Sequence[Tensor], expected: Sequence[Tensor]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    # A gradient of zeros would be close to any small one.
    assert max(float(tensor.abs().max()) for tensor in expected) > 1e-3


def test_a_step_is_the_slow_gradient(corridor_model: Path) -> None:
    trainer, result = stepped(corridor_model)
    expected, loss, num_tokens = slow_gradients(corridor_model, result.groups)
    assert_close(gradients_of(trainer), expected)
    norm = torch.stack([gradient.norm() for gradient in expected]).norm()
    assert result.metrics["grad_norm"] == pytest.approx(float(norm), rel=1e-4)
    assert result.metrics["loss/loss"] == pytest.approx(loss, abs=1e-6)
    assert result.metrics["tokens/trained"] == num_tokens
    assert 0 < result.metrics["success"] < 1
    assert result.metrics["logprob_gap"] < 1e-5
    assert result.metrics["tokens/reencoded"] == 0


def test_a_truncated_sampler_is_corrected_by_importance(corridor_model: Path) -> None:
    trainer, result = stepped(corridor_model, sampler={"top_p": 0.9})
    kept = [
        mass
        for group in result.groups
        for episode in group.valid
        for turn in episode.turns
        for mass in turn.kept or ()
    ]
    assert len(kept) == result.metrics["tokens/sampled"]
    assert 0.9 <= min(kept) < 0.95 < max(kept)
    expected, loss, _ = slow_gradients(corridor_model, result.groups, top_p=0.9)
    assert_close(gradients_of(trainer), expected)
    assert result.metrics["loss/loss"] == pytest.approx(loss, abs=1e-6)


def test_the_entropy_is_estimated_by_the_surprise_of_what_was_sampled(
    corridor_model: Path,
) -> None:
    _, result = stepped(corridor_model, train={"kl": 1e-9})  # so that no group is dropped
    surprise = [
        -logprob
        for group in result.groups
        for episode in group.valid
        for turn in episode.turns
        if turn.finish != "length"
        for logprob in turn.logprobs
    ]
    assert result.metrics["loss/entropy"] == pytest.approx(sum(surprise) / len(surprise), rel=1e-4)


def test_the_stored_advantages_are_the_oracles(corridor_model: Path) -> None:
    _, result = stepped(corridor_model)
    for group in result.groups:
        stored = [list(episode.advantages or ()) for episode in group.valid]
        for row, expected in zip(stored, oracle_advantages(group), strict=True):
            assert row == pytest.approx(expected, abs=1e-9)


def test_the_weights_move_against_the_clipped_gradient(corridor_model: Path) -> None:
    trainer, result = stepped(
        corridor_model, train={"max_grad_norm": 0.01, "lr": 0.5, "warmup_steps": 4}
    )
    expected, _, _ = slow_gradients(corridor_model, result.groups)
    before = Policy.load(corridor_model, device="cpu").model.parameters()
    norm = result.metrics["grad_norm"]
    assert norm > 0.01
    for old, new, gradient in zip(before, trainer.policy.model.parameters(), expected, strict=True):
        # The first of four warm-up steps: a quarter of the learning rate.
        torch.testing.assert_close(new, old - 0.125 * gradient * 0.01 / norm, rtol=0, atol=1e-6)


def test_the_gradient_does_not_depend_on_the_size_of_micro_batches(corridor_model: Path) -> None:
    whole, result = stepped(corridor_model, train={"micro_batch_tokens": 100_000})
    for budget in (1, 300):
        trainer, again = stepped(corridor_model, train={"micro_batch_tokens": budget})
        assert [g.episodes for g in timeless(again)] == [g.episodes for g in timeless(result)]
        assert_close(gradients_of(trainer), gradients_of(whole))


def timeless(result: StepResult) -> list[Group]:
    """The groups without seconds."""
    return [
        replace(
            group,
            episodes=tuple(
                replace(e, turns=tuple(replace(t, seconds=0.0) for t in e.turns))
                for e in group.episodes
            ),
        )
        for group in result.groups
    ]


def test_the_penalty_pulls_to_the_reference(corridor_model: Path, tmp_path: Path) -> None:
    """The reference differs from the policy, or its gradient would be zero."""
    other = Policy.load(corridor_model, device="cpu")
    with torch.no_grad():
        for parameter in other.model.parameters():
            parameter.mul_(1.02)
    other.save(tmp_path)
    trainer, result = stepped(corridor_model, train={"kl": 0.3}, changes={"reference": other})
    expected, loss, num_tokens = slow_gradients(
        corridor_model, result.groups, kl=0.3, reference_folder=tmp_path
    )
    assert_close(gradients_of(trainer), expected)
    assert result.metrics["loss/kl"] > 1e-5
    assert result.metrics["groups/dropped"] == 0
    assert result.metrics["groups/dropped_without_two_valid"] == 0
    assert result.metrics["tokens/trained"] == num_tokens
    assert result.metrics["loss/loss"] == pytest.approx(loss, abs=1e-6)


class Failing:
    """An engine that fails in the second turn of some members."""

    def __init__(self, engine: Any, members: Sequence[int]) -> None:
        self.engine = engine
        self.members = members

    async def generate(self, request: Request) -> Generation:
        if request.episode.member in self.members and request.turn == 1:
            raise EngineError("down")
        generation: Generation = await self.engine.generate(request)
        return generation

    def release(self, episode: EpisodeId) -> None:
        self.engine.release(episode)


@pytest.mark.parametrize("num_lost", [0, 1, 2, 3, 4])
def test_lost_members_leave_exactly_the_advantages_of_the_group_without_them(
    corridor_model: Path, num_lost: int
) -> None:
    """Through the whole step: advantages, tokens, gradient, counters."""
    lost = list(range(num_lost))
    plain = small_trainer(small_recipe(corridor_model))
    failing = replace(plain.agent, engine=Failing(plain.agent.engine, lost))
    trainer = replace(
        plain, agent=failing, optimizer=Keeping(plain.policy.model.parameters(), lr=1e-3),
        recipe=small_recipe(corridor_model, train={"max_grad_norm": NO_CLIPPING}),
    )  # fmt: skip
    result = train_step(trainer, 0)
    for group in result.groups:
        for episode in group.episodes[:num_lost]:
            assert (str(episode.status), episode.score) == ("infra_error", None)
            assert episode.advantages is None
            assert episode.error is not None
            assert len(episode.turns) == 1
        reduced = Group(task_id=group.task_id, episodes=group.episodes[num_lost:])
        (expected,) = Salt()(combine([reduced], channels(trainer.recipe))).advantages
        stored = tuple(episode.advantages for episode in group.episodes[num_lost:])
        assert stored == expected  # to the last bit
    assert result.metrics["status/infra_error"] == 4 * num_lost
    assert result.metrics["groups/without_two_valid"] == (4 if num_lost >= 3 else 0)
    if num_lost >= 3:
        assert result.metrics["groups/dropped"] == 4
        assert result.metrics["groups/dropped_without_two_valid"] == 4
        assert result.metrics["tokens/trained"] == 0
        assert_unmoved(trainer, corridor_model)
    elif result.metrics["tokens/trained"]:
        expected_gradients, _, num_tokens = slow_gradients(corridor_model, result.groups)
        assert result.metrics["tokens/trained"] == num_tokens
        assert_close(gradients_of(trainer), expected_gradients)


def assert_unmoved(trainer: Trainer, model: Path) -> None:
    before = Policy.load(model, device="cpu").model.parameters()
    for old, new in zip(before, trainer.policy.model.parameters(), strict=True):
        assert torch.equal(old, new)


def test_groups_without_credit_are_dropped_and_counted(corridor_model: Path) -> None:
    seen = set()
    for step in range(3):
        _, result = stepped(corridor_model, step)
        alike = [g for g in result.groups if len({e.score for e in g.valid}) < 2]
        assert result.metrics["groups/dropped"] == len(alike)
        assert result.metrics["groups/all"] == 4
        seen.add(len(alike))
    assert seen - {0, 4}


def test_a_step_without_a_trained_token_leaves_the_weights_to_the_last_bit(
    corridor_model: Path,
) -> None:
    """Groups of one have no baseline; momentum of earlier steps must not move the weights."""
    trainer = small_trainer(small_recipe(corridor_model, train={"group_size": 1}))
    parameters = list(trainer.policy.model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-2, weight_decay=0.1)
    for parameter in parameters:
        optimizer.state[parameter] = {
            "step": torch.tensor(1.0),
            "exp_avg": torch.ones_like(parameter),
            "exp_avg_sq": torch.ones_like(parameter),
        }
    trainer = replace(trainer, optimizer=optimizer)
    result = train_step(trainer, 0)
    assert (result.metrics["tokens/trained"], result.metrics["grad_norm"]) == (0, 0)
    assert_unmoved(trainer, corridor_model)


class Exploding(PpoLoss):
    """A loss that is no number."""

    def __call__(self, entries: Entries) -> Tensor:
        return super().__call__(entries) * torch.inf * 0


def test_a_gradient_that_is_no_number_stops_the_run_before_the_weights_move(
    corridor_model: Path,
) -> None:
    trainer = replace(small_trainer(small_recipe(corridor_model)), loss=Exploding())
    with pytest.raises(DivergedError, match="step 0: the gradient's norm is nan"):
        train_step(trainer, 0)
    assert_unmoved(trainer, corridor_model)


class Reencoding(Conversation):
    """Shows the engine its own words in other tokens: the bug that the count is there to see."""

    template: Template

    def observe(self, observation: Observation) -> Prompt:
        prompt = super().observe(observation)
        if len(prompt.messages) <= 2:
            return prompt
        template = self.template
        text = template.decode(prompt.ids)
        return replace(prompt, ids=tuple(i for char in text for i in template.encode(char)))


class ReencodingRenderer(Renderer):
    """Starts such conversations."""

    def start(self, system_prompt: str) -> Conversation:
        conversation = Reencoding(self, system_prompt)
        conversation.template = self.template
        return conversation


def test_tokens_behind_a_reencoded_prefix_are_counted(corridor_model: Path) -> None:
    # A penalty keeps groups without credit in the update.
    trainer = small_trainer(small_recipe(corridor_model, train={"kl": 1e-9}))
    broken = ReencodingRenderer(trainer.agent.renderer.template)
    trainer = replace(trainer, agent=replace(trainer.agent, renderer=broken))
    result = train_step(trainer, 0)
    assert result.metrics["tokens/reencoded"] > 0
    fidelity = measure_fidelity([{"step": 0, **result.metrics}], [])
    assert fidelity.tokens_reencoded == result.metrics["tokens/reencoded"]
    problems = fidelity.problems(trainer.recipe)
    assert f"{fidelity.tokens_reencoded} trained tokens are not the sampled ones" in problems


def test_two_steps_from_one_seed_are_one(corridor_model: Path) -> None:
    runs = [stepped(corridor_model, 1) for _ in range(2)]
    (one, first), (two, second) = runs
    assert timeless(first) == timeless(second)
    measured = ("seconds/", "speed/", "memory/peak")
    kept = [
        {name: value for name, value in result.metrics.items() if not name.startswith(measured)}
        for result in (first, second)
    ]
    assert kept[0] == kept[1]
    for a, b in zip(one.policy.model.parameters(), two.policy.model.parameters(), strict=True):
        assert torch.equal(a, b)
    _, other = stepped(corridor_model, 1, seed=1)
    assert timeless(other) != timeless(first)

"""The update where memory runs out: the same gradient, in smaller pieces."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import ALONE, small_recipe, small_trainer
from steps import NO_CLIPPING, Keeping, gradients_of
from tiny_models import tiny_policy
from torch import Tensor

from agentgym.trainers.config import WarmStartConfig
from agentgym.trainers.live_bytes import LiveBytes
from agentgym.trainers.loss import GrpoCLoss, Loss, PpoLoss
from agentgym.trainers.pack import TrainSequence
from agentgym.trainers.policy import Policy
from agentgym.trainers.sequences import Sequences
from agentgym.trainers.sft import ImitationSequence, warm_start
from agentgym.trainers.splitting import MemoryFullError
from agentgym.trainers.step import train_step
from agentgym.trainers.update import Sums, Updater, accumulate
from agentgym.types import EpisodeId


class Limit(LiveBytes):
    """A memory of a fixed size, beyond what lives already."""

    def __init__(self, size: float) -> None:
        super().__init__()
        self.size = size
        self.num_full = 0

    def _count(self, tensor: Tensor) -> None:
        super()._count(tensor)
        if self.live > self.size:
            self.num_full += 1
            raise torch.OutOfMemoryError(f"{self.live} bytes do not fit into {self.size}")


def packed(*, count: int, shared: int = 0) -> list[TrainSequence]:
    """Episodes of random tokens and random credit; the second half of each is one turn or two."""
    rng = random.Random(count)
    prefix = rng.choices(range(4, 200), k=shared)
    found = []
    for member in range(count):
        ids = (*prefix, *rng.choices(range(4, 200), k=rng.randint(30, 60)))
        trained = tuple(range((shared + len(ids)) // 2, len(ids)))
        turns = tuple(int(i > len(trained) // 2) for i in range(len(trained)))
        found.append(
            TrainSequence(
                episode=EpisodeId(step=0, group=0, member=member),
                ids=ids,
                trained=trained,
                turns=turns,
                old_logprobs=tuple(rng.uniform(-6, -5) for _ in trained),
                advantages=tuple((-1.0) ** turn * (member + 1) for turn in turns),
            )
        )
    return found


def run(
    policy: Policy, sequences: list[TrainSequence], *, loss: Loss, context: Any = None
) -> tuple[list[Tensor], Sums]:
    """The gradients and the sums of an update."""
    policy.model.zero_grad()
    wholes = Sequences.of(sequences, loss, policy=policy, world=ALONE)
    updater = Updater(policy=policy, reference=policy, loss=loss, kl=0.1, budget=2000)
    with context or nullcontext():
        sums = accumulate(updater, sequences, wholes)
    return [p.grad.clone() for p in policy.model.parameters() if p.grad is not None], sums


def test_importance_multiplies_a_tokens_gradient_up_to_its_limit() -> None:
    policy, loss = tiny_policy(), PpoLoss()
    (sequence,) = packed(count=1)
    size = len(sequence.trained)

    def gradients(*importance: float) -> list[Tensor]:
        weighed = replace(sequence, importance=(importance * size)[:size])
        return run(policy, [weighed], loss=loss)[0]

    plain, _ = run(policy, [sequence], loss=loss)
    assert_same(gradients(1.0), plain)
    assert_same(gradients(0.5), [tensor / 2 for tensor in plain])
    # `Updater.max_importance` is 1 unless it is given.
    assert_same(gradients(0.5, 7.0), gradients(0.5, 1.0))


def assert_same(found: list[Tensor], expected: list[Tensor]) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert max(float(tensor.abs().max()) for tensor in expected) > 1e-2


@pytest.mark.parametrize(("shared", "loss"), [(0, PpoLoss()), (100, GrpoCLoss())])
def test_a_step_that_runs_out_of_memory_is_split_and_its_gradient_the_same(
    shared: int, loss: Loss
) -> None:
    policy, sequences = tiny_policy(), packed(count=16, shared=shared)
    whole = LiveBytes()
    expected, plain = run(policy, sequences, loss=loss, context=whole)
    assert plain.num_splits == 0
    splits = []
    # The highest limit is passed in a backward pass, the lowest several times.
    for share in (0.98, 0.7, 0.45):
        found, sums = run(policy, sequences, loss=loss, context=Limit(share * whole.peak))
        assert_same(found, expected)
        splits.append(sums.num_splits)
        assert asdict(replace(sums, num_splits=0)) == pytest.approx(asdict(plain), rel=1e-4)
    assert splits[0] >= 1
    assert splits == sorted(splits)
    assert splits[-1] >= 2


@contextmanager
def failing_backward(policy: Policy, times: int) -> Iterator[list[int]]:
    """The backward pass of the first layer, reached last, runs out of memory so many times."""
    failed: list[int] = []
    body: Any = policy.model.base_model

    def fail(module: Any, grad_input: Any, grad_output: Any) -> None:
        if len(failed) < times:
            failed.append(1)
            raise torch.OutOfMemoryError("no memory for the backward pass")

    handle = body.layers[0].register_full_backward_hook(fail)
    try:
        yield failed
    finally:
        handle.remove()


def test_gradients_of_a_broken_backward_pass_are_not_counted() -> None:
    policy, sequences = tiny_policy(), packed(count=16)
    expected, _ = run(policy, sequences, loss=PpoLoss())
    with failing_backward(policy, 2) as failed:
        found, sums = run(policy, sequences, loss=PpoLoss())
    assert (len(failed), sums.num_splits) == (2, 2)
    assert_same(found, expected)


def test_one_sequence_that_does_not_fit_says_what_to_change() -> None:
    policy = tiny_policy()
    assert policy.takes_trees  # which a first pass finds out
    with pytest.raises(MemoryFullError, match=r"one sequence of \d+ tokens .* --train.recompute"):
        run(policy, packed(count=4), loss=PpoLoss(), context=Limit(1e5))


@pytest.mark.parametrize("shared", [0, 100])
def test_scoring_that_runs_out_of_memory_is_split_and_says_the_same(shared: int) -> None:
    policy, sequences = tiny_policy(), packed(count=16, shared=shared)
    ids, wanted = [s.ids for s in sequences], [s.trained for s in sequences]
    assert policy.takes_trees  # which a first pass finds out
    whole = LiveBytes()
    with torch.no_grad():
        with whole:
            expected = policy.logprobs(ids, wanted)
        limit = Limit(0.6 * whole.peak)
        with limit:
            found = policy.logprobs(ids, wanted)
    assert limit.num_full >= 1
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_one_sequence_that_cannot_be_scored_says_what_to_change() -> None:
    policy, sequences = tiny_policy(), packed(count=4)
    assert policy.takes_trees
    with (
        torch.no_grad(),
        Limit(1e4),
        pytest.raises(MemoryFullError, match=r"scoring of one sequence of \d+ tokens .* a smaller"),
    ):
        policy.logprobs([s.ids for s in sequences], [s.trained for s in sequences])


def test_a_warm_start_goes_on_where_memory_ran_out() -> None:
    found = []
    for times in (0, 2):
        policy, demonstrations = tiny_policy(), packed(count=8)
        sequences = [
            ImitationSequence(ids=s.ids, weights=(0.0, *(1.0,) * (len(s.ids) - 1)))
            for s in demonstrations
        ]
        config = WarmStartConfig(updates=1, episodes_per_update=8, lr=1e-3)
        with failing_backward(policy, times) as failed:
            (loss,) = warm_start(policy, sequences, config, world=ALONE, seed=0, budget=4000)
        assert len(failed) == times
        found.append((loss, [parameter.detach() for parameter in policy.model.parameters()]))
    (plain_loss, plain), (loss, split) = found
    assert loss == pytest.approx(plain_loss, rel=1e-5)
    # A step of Adam's moves by its rate, whatever the gradient; where that is zero but for rounding
    # the two may differ by all of it.
    for one, other in zip(plain, split, strict=True):
        assert ((one - other).abs() > 1e-4).float().mean() < 0.02


def test_a_train_step_goes_on_where_memory_ran_out(corridor_model: Path) -> None:
    found = []
    for times in (0, 1):
        recipe = small_recipe(corridor_model, train={"max_grad_norm": NO_CLIPPING})
        trainer = small_trainer(recipe)
        optimizer = Keeping(trainer.policy.model.parameters(), lr=1e-3)
        trainer = replace(trainer, optimizer=optimizer)
        with failing_backward(trainer.policy, times):
            result = train_step(trainer, 0)
        assert result.metrics["memory/num_splits"] == times
        found.append(gradients_of(trainer))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)

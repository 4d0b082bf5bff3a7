"""The pool of keys and values is as large as the plan says that memory allows."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from small_runs import CORRIDOR
from tiny_models import tiny_policy

from agentgym.errors import UsageError
from agentgym.trainers.config import Recipe, merge, validate
from agentgym.trainers.footprint import Footprint
from agentgym.trainers.kv_pool import size_pool, tokens_within
from agentgym.trainers.plan import FREE, Plan
from agentgym.trainers.policy import Policy


def recipe_with(**model: int) -> Recipe:
    """More episodes of 256 tokens at once than fit into little memory."""
    changes = {"model": {"context": 256, **model}, "train": {"tasks_per_step": 64}}
    return validate(merge(CORRIDOR, changes))


POLICY = tiny_policy(context=256)
PLAN = Plan(
    recipe_with(),
    Footprint(POLICY.model.config),
    num_evaluated=4,
)


def test_the_pool_fills_what_play_leaves_of_a_memory() -> None:
    beside = PLAN.memory.always + PLAN.memory.prefill
    memory = int((beside + 1000 * PLAN.footprint.cached_token(PLAN.dtype)) / (1 - FREE)) + 1
    assert tokens_within(PLAN, memory) == 1000
    limited = PLAN.changed({"model.kv_tokens": 1000})
    assert limited.memory.rollout <= (1 - FREE) * memory < PLAN.memory.rollout
    more = PLAN.changed({"model.kv_tokens": 1001})
    assert more.memory.rollout > (1 - FREE) * memory


def test_memory_that_holds_no_episode_is_refused() -> None:
    with pytest.raises(UsageError, match="values of 0 tokens, fewer than the 256 of one episode"):
        tokens_within(PLAN, 1 << 20)


def test_a_controls_pool_leaves_room_for_the_finished_run(monkeypatch: pytest.MonkeyPatch) -> None:
    class OnGpu:
        """A policy of which only this is asked."""

        device = torch.device("cuda")
        vision = None
        model = POLICY.model

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1 << 26, 1 << 30))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 1 << 25)
    own, control = (
        size_pool(recipe_with(), cast("Policy", OnGpu()), num_evaluated=4, control=control)
        for control in (False, True)
    )
    assert own is not None
    assert control is not None
    spared = (own - control) * PLAN.footprint.cached_token(PLAN.dtype)
    expected = Plan(recipe_with(), PLAN.footprint, num_evaluated=4, control=True).memory.control
    assert spared == pytest.approx(expected, rel=0.01)


def test_a_number_is_taken_as_it_is_and_a_cpu_has_no_limit_of_its_own() -> None:
    assert size_pool(recipe_with(), POLICY, num_evaluated=4) is None
    assert size_pool(recipe_with(kv_tokens=4096), POLICY, num_evaluated=4) == 4096

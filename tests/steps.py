"""Train steps that keep their gradients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from small_runs import small_recipe, small_trainer
from torch import Tensor

from agentgym.trainers.step import StepResult, Trainer, train_step

NO_CLIPPING = 1e9
"""A bound that no gradient reaches."""


class Keeping(torch.optim.SGD):
    """Keeps the gradients that it is given."""

    gradients: list[Tensor]

    def step(self, closure: Any = None) -> Any:
        parameters = self.param_groups[0]["params"]
        self.gradients = [parameter.grad.clone() for parameter in parameters]
        return super().step(closure)


def stepped(
    model: Path, step: int = 0, *, changes: dict[str, Any] | None = None, **overrides: Any
) -> tuple[Trainer, StepResult]:
    """A trainer after one train step, which kept its gradients.

    Args:
        changes: fields of the trainer that are not from the recipe.
        overrides: sections of the recipe.
    """
    train = {"max_grad_norm": NO_CLIPPING, **overrides.pop("train", {})}
    trainer = small_trainer(small_recipe(model, train=train, **overrides))
    optimizer = Keeping(trainer.policy.model.parameters(), lr=1e-3)
    trainer = replace(trainer, optimizer=optimizer, **(changes or {}))
    return trainer, train_step(trainer, step)


def gradients_of(trainer: Trainer) -> list[Tensor]:
    assert isinstance(trainer.optimizer, Keeping)
    return trainer.optimizer.gradients

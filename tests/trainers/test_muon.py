"""Our Muon against PyTorch's, which rounds to bfloat16 on the way."""

from __future__ import annotations

import torch
from torch.nn import Parameter

from agentgym.trainers.muon import Muon, orthogonalize

SHAPES = ((24, 24), (8, 24), (8, 24), (40, 24), (24, 40), (40, 24))


def test_it_moves_parameters_as_pytorchs_does() -> None:
    generator = torch.Generator().manual_seed(0)
    ours = [Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]
    theirs = [Parameter(each.detach().clone()) for each in ours]
    optimizers = (
        Muon(ours, lr=1e-2, weight_decay=0.05),
        torch.optim.Muon(theirs, lr=1e-2, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
    )
    began = [each.detach().clone() for each in ours]
    for _ in range(5):
        for own, their in zip(ours, theirs, strict=True):
            own.grad = torch.randn(own.shape, generator=generator)
            their.grad = own.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for first, own, their in zip(began, ours, theirs, strict=True):
        moved, expected = own.detach() - first, their.detach() - first
        assert float((moved - expected).norm() / expected.norm()) < 0.02


def test_singular_values_come_near_one() -> None:
    matrices = torch.randn(4, 16, 48, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonalize(matrices))
    assert 0.6 < float(values.min()) and float(values.max()) < 1.3


def test_a_parameter_without_a_gradient_stays() -> None:
    still, moved = (Parameter(torch.ones(4, 4)) for _ in range(2))
    moved.grad = torch.eye(4)
    Muon([still, moved], lr=0.1, weight_decay=0.1).step()
    assert torch.equal(still, torch.ones(4, 4))
    assert not torch.equal(moved, torch.ones(4, 4))

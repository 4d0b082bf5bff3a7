"""Warm start: imitation of demonstrations, mistakes shown but not imitated.

The demonstrations of an update go through the model packed into rows without padding, what they
share read once, where that spares enough; see `batches.plan`. Measured on the quickstart's, 8 an
update, one thread, 40 updates of each way in turns: padded rows of similar length held 15.6 %
padding and 1.22 times the tokens of packed ones, which took 13 % less CPU time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch

from agentgym.demonstrate import Demonstration
from agentgym.render import Renderer
from agentgym.trainers.batches import MicroBatch
from agentgym.trainers.config import WarmStartConfig
from agentgym.trainers.muon import Muon
from agentgym.trainers.policy import Policy
from agentgym.trainers.schedule import learning_rate
from agentgym.trainers.splitting import run_all
from agentgym.trainers.world import World

LAST_LR_SHARE = 0.05
"""The learning rate falls linearly to this share of its peak."""
MAX_GRAD_NORM = 1.0
"""Gradients are scaled down to this norm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImitationSequence:
    """One demonstration as tokens."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    """Parallel to `ids`: how much predicting that token counts; 1 for imitated actions."""
    images: tuple[bytes, ...] = ()
    """The pictures that were shown."""


def tokenize(
    demonstration: Demonstration, renderer: Renderer, *, observation_loss: float
) -> list[ImitationSequence]:
    """The sequences that a model playing this episode would have seen, one per segment."""
    template = renderer.template
    conversation = renderer.start(demonstration.system_prompt)
    observation = demonstration.first
    unsaid = () if renderer.pictures is None else renderer.pictures.control_ids
    segments: dict[int, tuple[list[int], list[float]]] = {}
    images: dict[int, tuple[bytes, ...]] = {}
    for turn in demonstration.turns:
        prompt = conversation.observe(observation)
        action = (*template.encode(turn.action), template.end_id)
        conversation.act(action)
        observation = turn.observation
        ids, weights = segments.setdefault(prompt.segment, ([], []))
        images[prompt.segment] = prompt.images
        weight = observation_loss if ids else 0.0
        weights += [0.0 if token in unsaid else weight for token in prompt.new_ids]
        ids += prompt.new_ids
        weights += [0.0 if turn.is_mistake else 1.0] * len(action)
        ids += action
    return [
        ImitationSequence(ids=tuple(ids), weights=tuple(weights), images=images[segment])
        for segment, (ids, weights) in segments.items()
    ]


def warm_start(
    policy: Policy,
    sequences: Sequence[ImitationSequence],
    config: WarmStartConfig,
    *,
    world: World,
    seed: int,
    budget: int,
) -> Iterator[float]:
    """Train by imitation for a fixed number of updates; the training loss of each as it is made.

    Args:
        sequences: this process's; every process passes its own.
        seed: this process's, for the order of its sequences.
        budget: tokens per forward pass.
    """
    optimizers = make_optimizers(policy, config)
    count = config.episodes_per_update // world.size
    order = _batches(len(sequences), count, seed=seed)
    for update in range(config.updates):
        batch = [sequences[index] for index in next(order)]
        lr = learning_rate(
            config.lr,
            update,
            num_steps=config.updates,
            warmup=config.warmup_updates,
            last_share=LAST_LR_SHARE,
        )
        for parameters in chain.from_iterable(each.param_groups for each in optimizers):
            parameters["lr"] = lr
        yield _update(policy, batch, optimizers, world=world, budget=budget)


def make_optimizers(policy: Policy, config: WarmStartConfig) -> list[torch.optim.Optimizer]:
    """What moves the parameters: AdamW alone, or Muon for the matrices and AdamW for the rest.

    Its authors keep Muon away from embeddings and vectors, too.
    """
    parameters = [p for p in policy.model.parameters() if p.requires_grad]
    optimizers: list[torch.optim.Optimizer] = []
    if config.optimizer == "muon":
        ends = (policy.model.get_input_embeddings(), policy.model.get_output_embeddings())
        kept = {id(end.weight) for end in ends}
        matrices = [p for p in parameters if p.ndim == 2 and id(p) not in kept]
        chosen = {id(p) for p in matrices}
        parameters = [p for p in parameters if id(p) not in chosen]
        optimizers.append(Muon(matrices, lr=config.lr, weight_decay=config.weight_decay))
    optimizers.append(
        torch.optim.AdamW(
            parameters,
            lr=config.lr,
            betas=config.betas,
            weight_decay=config.weight_decay,
            fused=True,
        )
    )
    return optimizers


def _batches(size: int, count: int, *, seed: int) -> Iterator[list[int]]:
    """Endless batches of `count` indices, every index once per pass."""
    generator = np.random.default_rng(seed)
    queue: list[int] = []
    while True:
        while len(queue) < count:
            queue += generator.permutation(size).tolist()
        yield queue[:count]
        queue = queue[count:]


def _update(
    policy: Policy,
    batch: Sequence[ImitationSequence],
    optimizers: Sequence[torch.optim.Optimizer],
    *,
    world: World,
    budget: int,
) -> float:
    """One update; the weighted mean loss of the batch over all processes."""
    weight = sum(sum(sequence.weights) for sequence in batch)
    total = world.sum_floats({"weight": weight})["weight"]
    loss_sum = 0.0
    wanted = [[i for i, w in enumerate(s.weights) if w > 0] for s in batch]

    def add(part: MicroBatch) -> None:
        nonlocal loss_sum
        weights = [batch[member].weights[i] for member in part.members for i in wanted[member]]
        loss = -(torch.tensor(weights, device=policy.device) * policy.run(part)).sum()
        (loss / total).backward()  # mean over the weight of the whole batch, not of this part
        loss_sum += float(loss.detach())

    def restart() -> None:
        nonlocal loss_sum
        loss_sum = 0.0
        policy.model.zero_grad()

    ids, images = [s.ids for s in batch], [s.images for s in batch]
    run_all(policy.plan(ids, wanted, budget=budget, images=images), add, restart=restart)
    world.sum_gradients(policy.model.parameters())
    torch.nn.utils.clip_grad_norm_(policy.model.parameters(), MAX_GRAD_NORM)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()
    return world.sum_floats({"loss": loss_sum})["loss"] / total


@torch.no_grad()
def action_loss(
    policy: Policy, sequences: Sequence[ImitationSequence], *, budget: int
) -> float | None:
    """Mean negative logprob of the imitated action tokens, in nats; None where there is none."""
    wanted = [[i for i, w in enumerate(s.weights) if w == 1] for s in sequences]
    images = [s.images for s in sequences]
    logprobs = policy.logprobs([s.ids for s in sequences], wanted, budget=budget, images=images)
    return -float(logprobs.sum()) / len(logprobs) if len(logprobs) else None

"""A plan: the memory that a recipe needs and the seconds that it cannot go below, without weights.

Every episode is taken to fill `model.context`, every token of it to be trained, and every batch to
be full: real runs stay below. A tree of shared prefixes is taken for the padded rows it replaces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import AutoConfig

from agentgym.env import find_spec
from agentgym.errors import UsageError, boundary
from agentgym.trainers import config, gguf
from agentgym.trainers.build import Panels, keeps_reference, reads_values, recomputes
from agentgym.trainers.config import Recipe
from agentgym.trainers.engines.local import MAX_STEP_TOKENS
from agentgym.trainers.engines.slots import round_up
from agentgym.trainers.footprint import Footprint
from agentgym.trainers.imitate import build_tokenizer
from agentgym.trainers.tiny import Size, configuration

TABLE = Path(__file__).parent / "architectures.yaml"
FLOPS = {"float32": 67e12, "bfloat16": 989e12}
"""Peak arithmetic of an H100 SXM by dtype, per second, without sparsity (NVIDIA's data sheet)."""
BANDWIDTH = 3.35e12
"""Its memory's bytes per second."""
FREE = 0.1
"""The share of a memory that is left for the CUDA context, libraries, and gaps between tensors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes per process. Weights, optimizer, reference and the engine's copy are always there."""

    weights: int
    engine_copy: int
    """Linear layers in bfloat16, where the arithmetic is; see `precision`."""
    optimizer: int
    reference: int
    gradients: int
    activations: int
    logits: int
    kv_pool: int
    prefill: int
    """What the engine needs beside the pool to read prompts and to draw tokens."""

    @property
    def always(self) -> int:
        """Bytes that live through the whole run."""
        return self.weights + self.engine_copy + self.optimizer + self.reference

    @property
    def update(self) -> int:
        """The peak of an update; the pool is empty then."""
        return self.always + self.gradients + self.activations + self.logits

    @property
    def rollout(self) -> int:
        """The peak while episodes are played."""
        return self.always + self.kv_pool + self.prefill

    @property
    def peak(self) -> int:
        """The larger one."""
        return max(self.update, self.rollout)


class Plan:
    """What a recipe comes to."""

    def __init__(self, recipe: Recipe, footprint: Footprint, *, num_evaluated: int) -> None:
        """Plan.

        Args:
            num_evaluated: tasks of the eval panel.
        """
        self.recipe = recipe
        self.footprint = footprint
        self._num_evaluated = num_evaluated
        self.dtype: torch.dtype = getattr(torch, recipe.model.dtype)

    @property
    def episodes(self) -> int:
        """Episodes of a step, per process."""
        train = self.recipe.train
        return train.tasks_per_step * train.group_size // self.recipe.processes

    @property
    def live(self) -> int:
        """Episodes at once, per process; evaluation plays its whole panel."""
        share = -(-self._num_evaluated // self.recipe.processes)
        evaluated = share * self.recipe.eval.samples
        return min(self.recipe.model.live_episodes, max(self.episodes, evaluated))

    @cached_property
    def memory(self) -> Memory:
        """The bytes."""
        recipe, footprint, dtype = self.recipe, self.footprint, self.dtype
        context, budget = recipe.model.context, recipe.train.micro_batch_tokens
        trained = footprint.num_parameters
        if reads_values(recipe):
            width = footprint.config.hidden_size
            trained += width * width + 2 * width + 1
        rounded = dtype != torch.float32
        body, logits = footprint.train(
            dtype,
            recompute=recomputes(recipe, footprint.num_parameters),
            rows=max(1, budget // context),
            length=context,
        )
        reading = footprint.read(
            dtype,
            rows=min(self.live, max(1, MAX_STEP_TOKENS // context)),
            length=min(context, MAX_STEP_TOKENS),
        )
        kept = self.live * round_up(context)
        if recipe.model.kv_tokens != "auto":
            kept = min(kept, recipe.model.kv_tokens)
        return Memory(
            weights=4 * trained,
            engine_copy=2 * footprint.num_linear if rounded else 0,
            optimizer=8 * trained,
            reference=footprint.frozen(dtype) if keeps_reference(recipe) else 0,
            gradients=4 * trained,
            activations=body,
            logits=logits,
            kv_pool=kept * footprint.cached_token(dtype),
            prefill=max(reading, footprint.sampling(self.live)),
        )

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of a train step on one GPU at `FLOPS` and `BANDWIDTH`, which no GPU reaches."""
        recipe, shape = self.recipe, self.footprint.config
        context, peak = recipe.model.context, FLOPS[recipe.model.dtype]
        tokens = self.episodes * context
        head = shape.hidden_size * shape.vocab_size
        # Two a weight and token; scores and values of half the context on average.
        attention = 2 * shape.num_hidden_layers * shape.hidden_size * context
        forward = tokens * (2 * self.footprint.num_linear + attention) / peak
        scored = tokens * 2 * head / FLOPS["float32"]  # whatever the arithmetic is
        passes = 4 if recomputes(recipe, self.footprint.num_parameters) else 3
        width = 4 if recipe.model.dtype == "float32" else 2
        waves = -(-self.episodes // self.live)
        read = width * self.footprint.num_linear + 4 * head
        read += (
            min(self.episodes, self.live) * context // 2 * self.footprint.cached_token(self.dtype)
        )
        return {
            "prefill": forward,
            "decode": waves * self.sampled * read / BANDWIDTH,
            "reference": forward + scored if keeps_reference(recipe) else 0.0,
            "update": passes * (forward + scored),
            # Weights, gradients and two moments are read, all but the gradients written.
            "optimizer": 28 * self.footprint.num_parameters / BANDWIDTH,
        }

    @property
    def sampled(self) -> int:
        """The most tokens that an episode can sample."""
        env = self.recipe.env
        turns = env.max_turns or find_spec(env.id).max_episode_steps or 1
        return min(self.recipe.model.context, turns * self.recipe.train.max_turn_tokens)

    def fits(self, memory: int) -> bool:
        """Whether it runs in so many bytes."""
        return self.memory.peak <= (1 - FREE) * memory

    def kv_tokens(self, memory: int) -> int:
        """The tokens whose keys and values so many bytes hold beside the rest of play."""
        left = int((1 - FREE) * memory) - self.memory.always - self.memory.prefill
        return max(0, left // self.footprint.cached_token(self.dtype))

    def changed(self, changes: dict[str, Any]) -> Plan:
        """The plan of the recipe with other values of some keys, such as `train.kl`."""
        over: dict[str, Any] = {}
        for key, value in changes.items():
            section, _, name = key.partition(".")
            over = config.merge(over, {section: {name: value}})
        recipe = config.validate(config.merge(self.recipe.model_dump(mode="json"), over))
        return Plan(recipe, self.footprint, num_evaluated=self._num_evaluated)


def make(recipe: Recipe) -> Plan:
    """The plan of a recipe.

    Raises:
        UsageError: its model's architecture cannot be had, or its panels.
    """
    panels = Panels.load(recipe)
    footprint = Footprint(architecture(recipe, panels))
    return Plan(recipe, footprint, num_evaluated=len(panels.eval))


def architecture(recipe: Recipe, panels: Panels) -> Any:
    """The configuration of a recipe's model: from its folder, from our table of the models that
    shipped recipes name, or from the hub."""
    path = recipe.model.path
    if path == "tiny":
        tokenizer = build_tokenizer(recipe, panels.train)
        model = recipe.model
        size = Size(hidden=model.hidden, layers=model.layers, context=model.context)
        return configuration(tokenizer, size)
    known = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    if path in known and not Path(path).exists():
        return AutoConfig.for_model(**known[path])
    with boundary(UsageError, f"cannot read the architecture of model '{path}'"):
        source = gguf.converted(Path(path)) if path.endswith(".gguf") else path
        return AutoConfig.from_pretrained(source)


def advise(plan: Plan, memory: int) -> tuple[dict[str, Any], Plan]:
    """The first changes of keys with which a plan fits, and the plan with them.

    It may still not fit. Each change lowers the peak; those come first that cost least.
    """
    changes: dict[str, Any] = {}
    while not plan.fits(memory):
        for key, value in _candidates(plan):
            changed = plan.changed({key: value})
            if changed.memory.peak < plan.memory.peak:
                changes[key], plan = value, changed
                break
        else:
            break
    return changes, plan


def _candidates(plan: Plan) -> Iterator[tuple[str, Any]]:
    """Changes that may save memory, the least harmful first."""
    recipe = plan.recipe
    if recipe.model.dtype == "float32":
        yield "model.dtype", "bfloat16"
    if not recomputes(recipe, plan.footprint.num_parameters):
        yield "train.recompute", True
    if recipe.train.micro_batch_tokens > recipe.model.context:
        yield "train.micro_batch_tokens", recipe.model.context
    if plan.live > 8:
        yield "model.live_episodes", plan.live // 2
    if recipe.train.kl > 0:
        yield "train.kl", 0.0
    if recipe.model.context > 1024:
        yield "model.context", recipe.model.context // 2

"""A plan: the memory that a recipe needs and the seconds that it cannot go below, without weights.

Every episode is taken to fill `model.context`, every token of it to be trained, and every batch to
be full: real runs stay below. A tree of shared prefixes is taken for the padded rows it replaces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import AutoConfig

from agentgym.env import find_spec
from agentgym.errors import UsageError, boundary
from agentgym.trainers import config, eight_bit, gguf
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
MAX_BUDGET = 65_536
"""Tokens of a micro-batch that is large enough for any GPU to be busy."""
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
    control: int
    """Weights and optimizer of the control's own policy, beside those of the finished run."""

    @property
    def always(self) -> int:
        """Bytes that live through the whole run."""
        own = self.weights + self.engine_copy + self.optimizer
        return own + self.reference + self.control

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

    def __init__(
        self, recipe: Recipe, footprint: Footprint, *, num_evaluated: int, control: bool = False
    ) -> None:
        """Plan.

        Args:
            num_evaluated: tasks of the eval panel.
            control: the run is one with a control.
        """
        self.recipe = recipe
        self.control = control
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
        context, budget = recipe.model.context, recipe.train.token_budget
        sizes = footprint.trained
        if reads_values(recipe):
            width = footprint.config.hidden_size
            sizes += (width * width, width, width, 1)
        trained = sum(sizes)
        frozen = 0 if recipe.lora is None else footprint.frozen(dtype)
        body, logits = footprint.train(
            dtype,
            layers=recomputes(recipe, footprint.num_parameters),
            rows=max(1, budget // context),
            length=context,
        )
        reading = footprint.read(
            dtype,
            rows=min(self.live, max(1, MAX_STEP_TOKENS // context)),
            length=min(context, MAX_STEP_TOKENS),
        )
        pool = self.live * round_up(context)
        if recipe.model.kv_tokens != "auto":
            pool = min(pool, recipe.model.kv_tokens)
        kept = keeps_reference(recipe) and recipe.lora is None
        return Memory(
            weights=frozen + 4 * trained,
            engine_copy=self._engine_copy,
            optimizer=optimizer_bytes(recipe.train.optimizer, sizes),
            reference=footprint.frozen(dtype) if kept else 0,
            gradients=4 * trained,
            activations=body,
            logits=logits,
            kv_pool=pool * footprint.cached_token(dtype),
            prefill=max(reading, footprint.sampling(self.live)),
            control=frozen + self._control if self.control else 0,
        )

    @property
    def _rounded(self) -> int:
        """Weights that are trained and read in the dtype of the arithmetic."""
        footprint = self.footprint
        return footprint.num_linear if self.recipe.lora is None else sum(footprint.trained)

    @property
    def _engine_copy(self) -> int:
        return 0 if self.dtype == torch.float32 else 2 * self._rounded

    @property
    def _control(self) -> int:
        """The control's trained weights, with its optimizer's state or its engine's copy."""
        warm_start, trained = self.recipe.warm_start, sum(self.footprint.trained)
        state = 8 * trained
        if warm_start is not None and warm_start.optimizer == "muon":
            state -= 4 * self._rounded  # one running mean instead of two
        return 4 * trained + max(state, self._engine_copy)

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
        # Backward costs as much for what goes in as for the weights; frozen ones need no gradient.
        passes = 3 if recipe.lora is None else 2
        passes += recomputes(recipe, self.footprint.num_parameters)
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
            "optimizer": 28 * sum(self.footprint.trained) / BANDWIDTH,
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
        evaluated = self._num_evaluated
        return Plan(recipe, self.footprint, num_evaluated=evaluated, control=self.control)

    def settled(self, memory: int) -> Plan:
        """With `train.micro_batch_tokens`, where unset, as large as fits into a memory.

        As many whole contexts as a power of two; one where nothing fits.
        """
        if self.recipe.train.micro_batch_tokens is not None:
            return self
        context = self.recipe.model.context
        best = self.changed({"train.micro_batch_tokens": context})
        while best.recipe.train.token_budget < MAX_BUDGET:
            larger = 2 * best.recipe.train.token_budget
            other = self.changed({"train.micro_batch_tokens": larger})
            if not other.fits(memory):
                break
            best = other
        return best


def optimizer_bytes(optimizer: str, sizes: Sequence[int]) -> int:
    """What an optimizer keeps of tensors with so many elements.

    Two running means in float32; in eight bits, with a float32 scale for each block of them, but
    for small tensors.

    >>> optimizer_bytes("adamw", [100, 8192]), optimizer_bytes("adamw8bit", [100, 8192])
    (66336, 17440)
    """
    if optimizer == "adamw":
        return 8 * sum(sizes)
    return sum(
        8 * size if size < eight_bit.SMALL else 2 * size + 8 * -(-size // eight_bit.BLOCK)
        for size in sizes
    )


def make(recipe: Recipe, *, control: bool = False) -> Plan:
    """The plan of a recipe.

    Args:
        control: of a run with a control.

    Raises:
        UsageError: its model's architecture cannot be had, or its panels.
    """
    panels = Panels.load(recipe)
    footprint = Footprint(architecture(recipe, panels), recipe.lora)
    return Plan(recipe, footprint, num_evaluated=len(panels.eval), control=control)


def settle(recipe: Recipe, device: str) -> Recipe:
    """The recipe with the token budget that its plan finds for a GPU; as it is on a CPU."""
    if device == "cpu" or recipe.train.micro_batch_tokens is not None:
        return recipe
    memory = torch.cuda.get_device_properties(device).total_memory
    return make(recipe).settled(memory).recipe


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
        found = AutoConfig.from_pretrained(source)
    if hasattr(found, "vision_config"):
        raise UsageError(
            f"model '{path}' reads pictures, a plan is of text alone; where a run asks for one, "
            "set --train.micro_batch_tokens"
        )
    return found


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
    if recipe.train.token_budget > recipe.model.context:
        yield "train.micro_batch_tokens", recipe.model.context
    if plan.live > 8:
        yield "model.live_episodes", plan.live // 2
    if recipe.train.kl > 0:
        yield "train.kl", 0.0
    if recipe.model.context > 1024:
        yield "model.context", recipe.model.context // 2

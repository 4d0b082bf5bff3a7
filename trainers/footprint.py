"""What a model takes to run: the trainer's own code, on tensors that have sizes but no data."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from agentgym.errors import UsageError
from agentgym.trainers import attention, lora, precision
from agentgym.trainers.batches import MicroBatch
from agentgym.trainers.config import LoraConfig
from agentgym.trainers.engines.packed import Packed, Piece
from agentgym.trainers.engines.slots import Slots
from agentgym.trainers.live_bytes import LiveBytes
from agentgym.trainers.recompute import recompute
from agentgym.trainers.scorer import Scorer

FEW = 4
"""Layers of a model that stands for a deeper one, so that some are neither first nor last."""
SAMPLING_BYTES = 32
"""Per logit while a token is drawn: five fp32 arrays, and sums in double with a copy."""


class Footprint:
    """The bytes of one architecture; every figure is measured when it is first asked for.

    A pass through many layers that are all alike is measured through a few of them: each one more
    adds the same.
    """

    def __init__(self, config: Any, adapter: LoraConfig | None = None) -> None:
        """Take a transformers configuration, and the adapter that is trained in its place."""
        self.config = config
        self.adapter = adapter
        self.read = cache(self._read)
        self.train = cache(self._train)

    def _measured(self, measure: Callable[[Footprint], tuple[int, ...]]) -> tuple[int, ...]:
        """What `measure` finds of the whole model, or would find by what it finds of a few layers.

        >>> from transformers import Qwen2Config
        >>> Footprint(Qwen2Config(num_hidden_layers=8))._measured(
        ...     lambda footprint: (100 + 7 * footprint.config.num_hidden_layers,)
        ... )
        (156,)
        """
        depth = self.config.num_hidden_layers
        if depth <= FEW or not self._has_equal_layers:
            return measure(self)
        less, more = (measure(self._cut_to(layers)) for layers in (FEW - 1, FEW))
        steps = (more_ - less_ for less_, more_ in zip(less, more, strict=True))
        return tuple(size + (depth - FEW) * step for size, step in zip(more, steps, strict=True))

    @property
    def _has_equal_layers(self) -> bool:
        """Whether all layers have the same weights, and attend alike as far as is said."""
        layers = [m for m in self._counted.modules() if isinstance(m, GradientCheckpointingLayer)]
        weights = {tuple((n, p.shape) for n, p in each.named_parameters()) for each in layers}
        kinds = set(getattr(self.config, "layer_types", None) or ())
        return (
            len(layers) == self.config.num_hidden_layers and len(weights) == 1 and len(kinds) <= 1
        )

    def _cut_to(self, depth: int) -> Footprint:
        """Of the first layers alone."""
        config = copy.deepcopy(self.config)
        config.num_hidden_layers = depth
        if getattr(config, "layer_types", None):
            config.layer_types = config.layer_types[:depth]
        return Footprint(config, self.adapter)

    @cached_property
    def _counted(self) -> PreTrainedModel:
        """The model without an adapter, to count."""
        with FakeTensorMode():
            return self._base()

    @cached_property
    def num_parameters(self) -> int:
        """Of the whole model, shared ones once."""
        return int(self._counted.num_parameters())

    @cached_property
    def trained(self) -> tuple[int, ...]:
        """Elements of each tensor that is trained."""
        with FakeTensorMode():
            return tuple(p.numel() for p in self._model().parameters() if p.requires_grad)

    @cached_property
    def num_linear(self) -> int:
        """Weights of linear layers, the head's not among them."""
        return sum(linear.weight.numel() for linear in precision.linears(self._counted))

    def frozen(self, dtype: torch.dtype) -> int:
        """Bytes of a model that is only read, without an adapter."""
        return 4 * self.num_parameters - (4 - dtype.itemsize) * self.num_linear

    def cached_token(self, dtype: torch.dtype) -> int:
        """Bytes of one token's keys and values."""
        with FakeTensorMode():
            slots = Slots(self._counted, dtype=dtype, max_slots=1, max_length=64)
            slots.reserve(1, 64)
            layers = range(self.config.num_hidden_layers)
            return sum(t.numel() * t.element_size() for i in layers for t in slots.layer(i)) // 64

    def _read(self, dtype: torch.dtype, *, rows: int, length: int) -> int:
        """Bytes that the engine needs to read so many prompts at once, beside weights and cache."""
        (found,) = self._measured(lambda few: (few._pass_to_read(dtype, rows, length),))
        return found

    def _pass_to_read(self, dtype: torch.dtype, rows: int, length: int) -> int:
        with FakeTensorMode(), torch.inference_mode():
            model = self._model()
            precision.round_weights(model, dtype)
            _takes_hook(model, dtype)
            with precision.arithmetic(model.device, dtype):
                slots = Slots(model, dtype=dtype, max_slots=rows, max_length=length)
                slots.reserve(rows, length)
                pieces = [Piece(slot=i, start=0, ids=[0] * length) for i in range(rows)]
                layers = range(self.config.num_hidden_layers)
                made = LiveBytes([*model.parameters(), *(slots.layer(i)[0] for i in layers)])
                held = made.live
                with made:
                    packed = Packed(slots, pieces)
                    body = model.base_model
                    attention.packed_forward(
                        body, packed.token_ids, packed.position_ids, attend=packed
                    )
        return made.peak - held

    def sampling(self, rows: int) -> int:
        """Bytes to draw a token for each of so many episodes."""
        chunk = Scorer(self._counted).chunk
        return min(rows, chunk) * int(self.config.vocab_size) * SAMPLING_BYTES

    def _train(
        self, dtype: torch.dtype, *, layers: bool, rows: int, length: int
    ) -> tuple[int, int]:
        """Bytes of a forward and backward pass over a micro-batch all of whose tokens are trained.

        Weights and gradients are left out.

        Returns:
            The most that lives while there are no logits, and what they add to it.
        """
        before, with_logits, after = self._measured(
            lambda few: few._pass_to_train(dtype, layers, rows, length)
        )
        body = max(before, after)
        return body, max(0, with_logits - body)

    def _pass_to_train(
        self, dtype: torch.dtype, layers: bool, rows: int, length: int
    ) -> tuple[int, int, int]:
        """The most that lives before there are logits, while there are, and after."""
        ids = tuple((row,) * length for row in range(rows))
        wanted = (range(1, length + 1),) * rows
        batch = MicroBatch(
            members=tuple(range(rows)), ids=ids, targets=ids, wanted=wanted, as_tree=True
        )
        with FakeTensorMode():
            model = self._model(dtype)
            recompute(model, layers=layers)
            trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
            gradients = [torch.zeros_like(parameter) for parameter in trained]
            for parameter, gradient in zip(trained, gradients, strict=True):
                parameter.grad = gradient
            made = LiveBytes([*model.parameters(), *gradients])
            held = made.live
            scorer = _Watched(model, dtype=dtype, made=made)
            # Found out by reading real numbers, which there are none of. In padded rows the model
            # would build a mask that it does without where tensors have data.
            scorer.takes_trees = _takes_hook(model, dtype)
            with made:
                scorer.run(batch).sum().backward()
        return scorer.before - held, scorer.with_logits - held, made.peak - held

    def _base(self) -> PreTrainedModel:
        # As it is loaded, not as it was published.
        model: PreTrainedModel = AutoModelForCausalLM.from_config(self.config, dtype=torch.float32)
        return model

    def _model(self, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
        """The model as it is trained: with the adapter, if there is one, beside frozen weights."""
        if self.adapter is None:
            return self._base()
        # Fake tensors cannot be put in each other's place, as peft does.
        with unset_fake_temporarily(), torch.device("meta"):
            model = self._base()
            lora.add(model, self.adapter, seed=0, dtype=dtype)
        _fake(model)
        return model


class _Watched(Scorer):
    """Notes the most bytes that live before and while there are logits; `made` has those after."""

    def __init__(self, model: PreTrainedModel, *, dtype: torch.dtype, made: LiveBytes) -> None:
        super().__init__(model, dtype=dtype)
        self.made = made
        self.before = self.with_logits = 0

    def _score_hidden(self, hidden_WH: Tensor, targets: list[int]) -> Tensor:
        self.before = self.made.peak
        hidden_WH.register_hook(self._leave_head)
        return super()._score_hidden(hidden_WH, targets)

    def _leave_head(self, gradient_WH: Tensor) -> None:
        self.with_logits, self.made.peak = self.made.peak, self.made.live


def _fake(model: PreTrainedModel) -> None:
    """Give a model without data fake tensors of this mode, one for each of its own."""
    made: dict[int, Tensor] = {}
    for module in model.modules():
        stores: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
        for held in stores:
            for name, tensor in held.items():
                if tensor is None:
                    continue
                if id(tensor) not in made:
                    fake = torch.empty(tensor.shape, dtype=tensor.dtype)
                    if isinstance(tensor, nn.Parameter):
                        fake = nn.Parameter(fake, requires_grad=tensor.requires_grad)
                    made[id(tensor)] = fake
                held[name] = made[id(tensor)]


def _takes_hook(model: PreTrainedModel, dtype: torch.dtype) -> bool:
    """Whether the model's attention can be ours; from now on it is."""
    with precision.arithmetic(model.device, dtype):
        try:
            attention.install(model)
        except UsageError:
            return False
    return True

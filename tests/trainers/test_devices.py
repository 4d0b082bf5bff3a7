"""Tensors of one forward pass lie on one device: sampler and packing on a GPU that is not there.

Fake tensors have a device and no data; an operation that mixes devices raises as on a real GPU.
PyTorch's CPU build cannot put even fake tensors on "cuda": there the other device is "meta".
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForCausalLM

from agentgym.engine import Sampler
from agentgym.trainers import attention
from agentgym.trainers.batches import MicroBatch
from agentgym.trainers.engines.packed import Packed, Piece
from agentgym.trainers.engines.sampling import sample
from agentgym.trainers.engines.slots import Slots
from agentgym.trainers.scorer import Scorer

DEVICE = "cuda" if torch.backends.cuda.is_built() else "meta"
IDS = ((1, 2, 3, 4, 5, 6), (1, 2, 3, 7, 8), (1, 9))
SIZES: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
}
WANTED = ((3, 5), (3, 4), (1,))


def mode() -> FakeTensorMode:
    """In which lists that index count as tensors of whatever device they index."""
    return FakeTensorMode(allow_non_fake_inputs=True)


def fake_model() -> PreTrainedModel:
    """A small model on the other device, without data."""
    with torch.device(DEVICE):
        model: PreTrainedModel = Qwen2ForCausalLM(Qwen2Config(**SIZES))
    attention.install(model)
    return model


def test_such_tensors_do_not_mix() -> None:
    """What the tests below must be able to notice."""
    with mode(), pytest.raises(RuntimeError, match="at least two devices"):
        torch.zeros(2, device=DEVICE) + torch.zeros(2)


@pytest.mark.parametrize("as_tree", [True, False])
def test_packed_sequences_are_scored_where_the_model_is(as_tree: bool) -> None:
    targets = tuple(
        tuple(ids[place] for place in places) for ids, places in zip(IDS, WANTED, strict=True)
    )
    batch = MicroBatch(members=(0, 1, 2), ids=IDS, targets=targets, wanted=WANTED, as_tree=as_tree)
    with mode():
        scorer = Scorer(fake_model())
        scorer.takes_trees = True  # found out by reading real numbers
        states = scorer.states(batch)  # the head's own autocast has no "meta"
        assert (states.shape, states.device.type) == ((5, 32), DEVICE)
        states.sum().backward()
        gradients = [p.grad for p in scorer.model.parameters() if p.grad is not None]
        assert {gradient.device.type for gradient in gradients} == {DEVICE}


def test_the_engines_row_reads_its_slots_where_the_model_is() -> None:
    with mode(), torch.no_grad():
        model = fake_model()
        slots = Slots(model, dtype=torch.float32, max_slots=4, max_length=128)
        slots.reserve(2, 70)
        pieces = [Piece(slot=0, start=0, ids=[1, 2, 3]), Piece(slot=1, start=64, ids=[4])]
        packed = Packed(slots, pieces)
        hidden = attention.packed_forward(
            model.base_model, packed.token_ids, packed.position_ids, attend=packed
        )
        assert (hidden.shape[0], hidden.device.type) == (4, DEVICE)
        slots.move(1, 0, length=65)


def test_the_sampler_draws_where_the_logits_are() -> None:
    """All but the answer itself, which has no data."""
    with mode():
        logits = torch.zeros(3, 50, device=DEVICE)
        samplers = [Sampler(), Sampler(temperature=0), Sampler(temperature=0.5)]
        with pytest.raises(DataDependentOutputException, match="_local_scalar_dense"):
            sample(logits, seeds=[1, 2, 3], indices=[0, 0, 5], samplers=samplers)

"""Live bytes against torch's own memory tracker, and by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import tiny_policy
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker
from transformers import AutoModelForCausalLM

from agentgym.trainers.live_bytes import LiveBytes


def test_tensors_count_while_something_holds_them() -> None:
    with LiveBytes() as bytes_:
        a = torch.zeros(1000)
        view = a[10:].view(2, -1)
        assert bytes_.live == 4000
        b = a + 1
        assert bytes_.live == 8000
        del a
        assert bytes_.live == 8000  # the view holds it
        del view, b
        assert (bytes_.live, bytes_.peak, bytes_.largest) == (0, 8000, 1000)


@pytest.mark.parametrize("fake", [False, True])
def test_the_peak_of_a_training_step_is_that_of_torchs_tracker(fake: bool) -> None:
    model = tiny_policy().model
    if fake:
        with FakeTensorMode():
            ours, theirs = peak_of_both(AutoModelForCausalLM.from_config(model.config))
    else:
        ours, theirs = peak_of_both(model)
    assert ours == pytest.approx(theirs, rel=1e-3)


def peak_of_both(model: Any) -> list[int]:
    """Ours, then torch's."""
    ours, theirs = LiveBytes(model.parameters()), MemTracker()
    theirs.track_external(model)
    for mode in (ours, theirs):
        model.zero_grad()
        with mode:
            ids = torch.zeros(2, 100, dtype=torch.long)
            model(input_ids=ids, use_cache=False).logits.sum().backward()
    return [ours.peak, theirs.get_tracker_snapshot("peak")[torch.device("cpu")]["Total"]]

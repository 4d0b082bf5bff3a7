"""Slots: what is in them stays, and they never have more tokens than they may."""

from __future__ import annotations

from functools import cache

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import tiny_policy
from transformers import PreTrainedModel

from agentgym.trainers.engines.slots import Slots


@cache
def model() -> PreTrainedModel:
    return tiny_policy().model


@settings(max_examples=60)
@given(asked=st.lists(st.tuples(st.integers(1, 8), st.integers(1, 256)), max_size=12))
def test_whatever_fits_finds_room_and_what_is_in_use_stays(asked: list[tuple[int, int]]) -> None:
    slots = Slots(model(), dtype=torch.float32, max_slots=8, max_length=256, max_tokens=700)
    num_used = length_used = 0
    for num_slots, length in asked:
        columns = -(-length // 64) * 64
        assert slots.fits(num_slots, length) == (num_slots * columns <= 700)
        if not slots.fits(num_slots, length):
            continue
        num_used, length_used = min(num_used, num_slots), min(length_used, length)
        before = [slots.layer(i)[0][:num_used, :, :length_used].clone() for i in range(2)]
        slots.reserve(num_slots, length)
        keys, values = slots.layer(1)
        assert keys.shape == values.shape
        assert keys.shape[0] >= num_slots
        assert keys.shape[2] >= length
        assert keys.shape[0] * keys.shape[2] <= 700
        for layer, kept in enumerate(before):
            assert torch.equal(slots.layer(layer)[0][:num_used, :, :length_used], kept)
            with torch.inference_mode():
                slots.layer(layer)[0][:num_slots, :, :length].normal_()
        num_used, length_used = num_slots, length

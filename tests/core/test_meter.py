"""The meter: phases add up to the wall, whatever overlaps."""

from __future__ import annotations

import asyncio

import pytest

from agentgym.meter import Meter


class Clock:
    """A time that passes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.seconds += seconds


def test_time_counts_for_the_innermost_phase_and_outside_of_all_for_none() -> None:
    clock = Clock()
    meter = Meter(now=clock)
    clock.wait(1)
    with meter.phase("outer"):
        clock.wait(2)
        with meter.phase("inner"):
            clock.wait(4)
        clock.wait(8)
    clock.wait(16)
    assert meter.read().seconds == {"outer": 10, "inner": 4}


def test_what_is_awaited_counts_while_nothing_computes() -> None:
    clock = Clock()
    meter = Meter(now=clock)

    async def one(begins: float, ends: float) -> None:
        while clock.seconds < begins:
            await asyncio.sleep(0)
        with meter.awaiting("environment"):
            while clock.seconds < ends:
                await asyncio.sleep(0)

    async def compute() -> None:
        for _ in range(6):
            await asyncio.sleep(0)
            with meter.phase("decode"):
                clock.wait(1)
            for _ in range(5):
                await asyncio.sleep(0)
            clock.wait(10)

    async def together() -> None:
        await asyncio.gather(one(100, 122), one(105, 133), one(150, 166), compute())

    asyncio.run(together())
    seconds = meter.read().seconds
    assert seconds["decode"] == 6
    # 66 seconds in all; somebody is awaited until 133, and from 154 on.
    assert seconds["environment"] == pytest.approx(3 * 10 + 10)


def test_a_phase_ends_when_what_it_set_going_has_and_also_when_it_raises() -> None:
    clock = Clock()
    meter = Meter(now=clock, finish=lambda: clock.wait(5))
    with pytest.raises(ValueError, match="no luck"), meter.phase("forward"):
        raise ValueError("no luck")
    clock.wait(1)
    assert meter.read().seconds == {"forward": 5}


def test_a_phase_can_be_split_and_a_reading_begins_anew() -> None:
    clock = Clock()
    meter = Meter(now=clock)
    with meter.phase("engine"):
        clock.wait(8)
    meter.split("engine", {"prefill": 3, "decode": 1})
    meter.count("evictions")
    meter.count("evictions", 2)
    found = meter.read()
    assert found.seconds == {"prefill": 6, "decode": 2}
    assert found.counts == {"evictions": 3}
    again = meter.read()
    assert (again.seconds, again.counts) == ({}, {})

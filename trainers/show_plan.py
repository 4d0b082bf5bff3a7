"""`agentgym plan`: what a recipe needs, as a table or as JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from agentgym import commands
from agentgym.errors import UsageError
from agentgym.trainers import config
from agentgym.trainers.overrides import parse_overrides
from agentgym.trainers.plan import BANDWIDTH, FLOPS, FREE, Plan, advise, make

UNITS = {"MB": 2**20, "GB": 2**30}
"""As memory is sold."""


def plan(
    recipe: str, words: Sequence[str], *, memory: str | None, control: bool, as_json: bool
) -> int:
    """Print a recipe's plan; 1 if it does not fit into the memory that is named."""
    size = None if memory is None else read_size(memory)
    found = make(config.resolve(recipe, parse_overrides(words)), control=control)
    if size is not None:
        found = found.settled(size)
    changes, changed = ({}, found) if size is None else advise(found, size)
    if as_json:
        commands.print_json(describe(found, size, changes, changed))
    else:
        _print(found, size, changes, changed)
    return int(size is not None and not found.fits(size))


def read_size(text: str) -> int:
    """Bytes of a size such as 24GB.

    >>> read_size("1.5GB")
    1610612736

    Raises:
        UsageError: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?(MB|GB)", text, re.IGNORECASE)
    if match is None:
        raise UsageError(f"'{text}' is not a size; sizes look like 24GB")
    return int(float(match[1]) * UNITS[match[2].upper()])


def describe(
    found: Plan, memory: int | None, changes: dict[str, Any], changed: Plan
) -> dict[str, Any]:
    """The plan as plain data; bytes and seconds are per process."""
    dtype = found.recipe.model.dtype
    content = {
        "model": found.recipe.model.path,
        "parameters": found.footprint.num_parameters,
        "trained": sum(found.footprint.trained),
        "micro_batch_tokens": found.recipe.train.token_budget,
        "live_episodes": found.live,
        "bytes": asdict(found.memory),
        "update_bytes": found.memory.update,
        "rollout_bytes": found.memory.rollout,
        "peak_bytes": found.memory.peak,
        "seconds": found.seconds,
        "at": {"flops": FLOPS[dtype], "bytes_per_s": BANDWIDTH},
    }
    if memory is not None:
        content["memory"] = memory
        content["fits"] = found.fits(memory)
        content["changes"] = changes
        content["fits_changed"] = changed.fits(memory)
    return content


def _print(found: Plan, memory: int | None, changes: dict[str, Any], changed: Plan) -> None:
    recipe, sizes = found.recipe, found.memory
    count = found.footprint.num_parameters
    print(
        f"{recipe.model.path}: {count / 1e6:,.1f} M parameters, arithmetic in "
        f"{recipe.model.dtype}, {found.live} episodes of {recipe.model.context} tokens at once, "
        f"{recipe.train.token_budget} tokens a micro-batch"
    )
    unit = "GB" if sizes.peak >= UNITS["GB"] else "MB"
    named = asdict(sizes) | {"peak of an update": sizes.update, "peak of play": sizes.rollout}
    rows = [(name.replace("_", " "), _in(unit, size)) for name, size in named.items()]
    commands.show_table(("memory of a process", unit), rows)
    print()
    seconds = [(name, f"{value:,.3g}") for name, value in found.seconds.items()]
    commands.show_table(("a train step, no less than", "seconds"), seconds)
    print(
        f"on an H100: {FLOPS[recipe.model.dtype] / 1e12:,.0f} TFLOP/s, "
        f"{BANDWIDTH / 1e12:.2f} TB/s; every episode full, up to {found.sampled} tokens sampled"
    )
    if memory is not None:
        print(_verdict(found, memory, changes, changed))


def _verdict(found: Plan, memory: int, changes: dict[str, Any], changed: Plan) -> str:
    unit = "GB" if memory >= UNITS["GB"] else "MB"
    need = f"{_in(unit, found.memory.peak)} of {_in(unit, memory)} {unit}, {FREE:.0%} left free"
    if found.fits(memory):
        return f"fits: {need}"
    options = " ".join(f"--{key} {str(value).lower()}" for key, value in changes.items())
    left = f"{_in(unit, changed.memory.peak)} {unit}"
    if changed.fits(memory):
        return f"does not fit: {need}; it does, with {left}, by {options}"
    tried = f"{left} by {options}" if options else "nothing lowers it"
    return f"does not fit: {need}; the least is {tried}. Take a smaller model"


def _in(unit: str, size: int) -> str:
    return f"{size / UNITS[unit]:,.2f}"

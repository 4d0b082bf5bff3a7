"""AdamW with running means in 8 bits, by bitsandbytes: a quarter of the optimizer's memory."""

from __future__ import annotations

from typing import Any

import torch

from agentgym.errors import UsageError
from agentgym.registry import load

SMALL = 4096
"""bitsandbytes keeps tensors of fewer elements in float32."""
BLOCK = 256
"""Elements that share a scale."""


def check(device: str) -> None:
    """Make sure that there is such an optimizer here.

    Raises:
        UsageError: the device is no GPU, or bitsandbytes is not installed.
    """
    if not device.startswith("cuda"):
        raise UsageError(
            f"train.optimizer adamw8bit needs a GPU, and this run is on '{device}'; set "
            "--train.optimizer adamw"
        )
    load("bitsandbytes.optim:AdamW8bit")


def make(groups: list[dict[str, Any]], **settings: Any) -> torch.optim.Optimizer:
    """The optimizer, with AdamW's settings."""
    optimizer: torch.optim.Optimizer = load("bitsandbytes.optim:AdamW8bit")(groups, **settings)
    return optimizer

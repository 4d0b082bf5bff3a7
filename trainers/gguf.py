"""GGUF files: converted once into an ordinary model folder; reading one takes half a minute."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from agentgym.cache import cache_folder


def converted(path: Path) -> Path:
    """The model folder made from a GGUF file, weights in bf16; made now if it is not there yet."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    folder = cache_folder() / f"{path.stem}-{digest}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        _convert(path, Path(temporary) / "model")
        # A rename is all or nothing: a conversion that is killed leaves no half folder behind, and
        # of two at once the second finds the folder taken.
        try:
            (Path(temporary) / "model").rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    return folder


def _convert(path: Path, folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = AutoModelForCausalLM.from_pretrained(
        path.parent,
        gguf_file=path.name,
        dtype=torch.bfloat16,
        # Without it the weights load all the same but cannot be saved.
        quantization_config=GgufConfig(dequantize=True),
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)

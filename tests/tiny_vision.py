"""A small Qwen3-VL with random weights, saved as a model folder, and an environment to look at."""

from __future__ import annotations

import copy
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from saying_env import Saying
from tiny_models import tiny_tokenizer
from transformers import (
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

from agentgym import Outcome
from agentgym.envs.toys.png import encode_png

CONTROLS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
TEMPLATE = """
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% if message.content is string -%}
{{ message.content }}
{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'image' -%}<|vision_start|><|image_pad|><|vision_end|>
{%- else -%}{{ part.text }}{%- endif -%}
{%- endfor -%}
{%- endif -%}<end>
{% endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
{% endif -%}
""".strip()


def save_vision_model(folder: Path) -> Path:
    """The folder of a model with two layers for text and two for pictures."""
    tokenizer = copy.deepcopy(tiny_tokenizer())
    tokenizer.add_special_tokens({"additional_special_tokens": list(CONTROLS)})
    tokenizer.chat_template = TEMPLATE
    ids: Any = tokenizer.convert_tokens_to_ids(list(CONTROLS))
    start, end, image, video = ids
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 16,
            "intermediate_size": 64,
            "max_position_embeddings": 512,
            "rope_scaling": {"rope_type": "default", "mrope_section": [4, 2, 2]},
            "eos_token_id": tokenizer.eos_token_id,
            "bos_token_id": None,
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "num_heads": 2,
            "intermediate_size": 64,
            "out_hidden_size": 32,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0],
        },
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    model = Qwen3VLForConditionalGeneration(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    Qwen2VLImageProcessorPil(
        patch_size=16, merge_size=2, size={"shortest_edge": 32 * 32, "longest_edge": 128 * 128}
    ).save_pretrained(folder)
    return folder


def picture(seed: int, *, width: int = 64, height: int = 96) -> bytes:
    """A PNG of noise."""
    rng = random.Random(seed)
    return encode_png([rng.randbytes(width) for _ in range(height)])


class Pictured(Saying):
    """Shows another picture every turn and, to set episodes apart, pays for what is said."""

    said = ""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        observation, info = super().reset(seed=seed, options=options)
        self.said = ""
        return replace(observation, image=picture(0)), info

    def step(self, action: str) -> Any:
        observation, *rest = super().step(action)
        self.said += action
        return replace(observation, image=picture(self.num_steps, height=64)), *rest

    def outcome(self) -> Outcome:
        return Outcome(score=len(self.said) % 7 / 6, success=True)

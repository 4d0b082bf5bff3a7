"""Vision: what a vision-language model reads of pictures, beside its tokens and in them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from agentgym.errors import UsageError, boundary

CACHE_IMAGES = 64
"""So many pictures' patches are kept: a group's episodes begin with the same one."""


class Vision:
    """Pictures for models that put a run of one placeholder token where a picture stands.

    Those of the Qwen-VL family do, whose image processors cut a picture into a grid of patches and
    whose models merge squares of patches into one token.
    """

    def __init__(self, processor: Any, config: Any, tokenizer: Any) -> None:
        """Prepare pictures with a model's own image processor.

        Raises:
            UsageError: the model takes its pictures in another way.
        """
        names = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
        known = [getattr(config, name, None) for name in names]
        if known[0] is None or not hasattr(processor, "merge_size"):
            raise UsageError(
                f"models of type '{config.model_type}' take pictures in a way that is not "
                "supported; those of the Qwen-VL family are"
            )
        self.processor = processor
        self._token_id = int(known[0])
        self.token: str = tokenizer.convert_ids_to_tokens(self._token_id)
        """The placeholder, as a chat template writes it: one for a picture."""
        self.control_ids = tuple(int(token) for token in known if token is not None)
        """What the model cannot say: it would look for a picture there."""
        self._read = lru_cache(maxsize=CACHE_IMAGES)(self._read_now)

    @classmethod
    def load(cls, folder: str | Path, config: Any, tokenizer: Any) -> Vision:
        """That of a model folder or hub name."""
        from transformers import AutoImageProcessor  # slow to import, for few models

        with boundary(UsageError, f"cannot load the image processor of '{folder}'"):
            processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
        return cls(processor, config, tokenizer)

    def count(self, image: bytes) -> int:
        """The tokens that a picture, a PNG file, takes."""
        _, grid_13 = self._read(image)
        return int(grid_13.prod()) // int(self.processor.merge_size) ** 2

    def inputs(self, ids_BL: Tensor, images: Sequence[Sequence[bytes]]) -> dict[str, Tensor]:
        """What the model is given beside the tokens.

        Args:
            images: row by row; those behind a row's last token are left out.

        Raises:
            UsageError: a row has placeholders without a picture.
        """
        is_image_BL = ids_BL == self._token_id
        pixels, grids = [], []
        for row, (left, own) in enumerate(zip(is_image_BL.sum(1).tolist(), images, strict=True)):
            for image in own:
                if left <= 0:
                    break
                pixels_PD, grid_13 = self._read(image)
                pixels.append(pixels_PD)
                grids.append(grid_13)
                left -= self.count(image)
            if left:
                raise UsageError(f"row {row}: {left} tokens stand for pictures that are not there")
        if not pixels:
            return {}
        return {
            "pixel_values": torch.cat(pixels).to(ids_BL.device),
            "image_grid_thw": torch.cat(grids).to(ids_BL.device),
            "mm_token_type_ids": is_image_BL.int(),
        }

    def _read_now(self, image: bytes) -> tuple[Tensor, Tensor]:
        """Patches `[P, D]` and their grid `[1, 3]`."""
        with Image.open(BytesIO(image)) as opened:
            picture = opened.convert("RGB")
        prepared = self.processor(images=[picture], return_tensors="pt")
        return prepared["pixel_values"], prepared["image_grid_thw"]

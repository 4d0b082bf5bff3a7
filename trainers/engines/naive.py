"""The naive engine: transformers' `generate`, one request at a time, nothing kept: an oracle."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from agentgym.engine import Generation, Request
from agentgym.errors import EngineError, boundary
from agentgym.trainers.engines.sampling import sample
from agentgym.trainers.policy import Policy
from agentgym.types import EpisodeId


class NaiveEngine:
    """Slow and plain; draws the tokens that the local engine draws, up to rounding."""

    def __init__(self, policy: Policy, *, context: int | None = None) -> None:
        """Generate with this policy.

        Args:
            context: the longest sequence in tokens; None is what the model was made for.
        """
        self._policy = policy
        self._context = context or policy.context

    async def generate(self, request: Request) -> Generation:
        """Sample one action from the whole sequence.

        Raises:
            EngineError: the model failed.
        """
        room = min(request.max_tokens, self._context - len(request.ids))
        if room < 1:
            return Generation(ids=(), logprobs=(), finish="length")
        with boundary(EngineError, "naive engine"):
            return self._run(request, room)

    def release(self, episode: EpisodeId) -> None:
        """Nothing is kept between turns."""

    def _run(self, request: Request, room: int) -> Generation:
        model: Any = self._policy.model
        draw = _Draw(request)
        # A model's own generation settings (top-p, penalties) would fill what is left unsaid.
        config = GenerationConfig(
            max_new_tokens=room,
            do_sample=False,
            repetition_penalty=1.0,
            no_repeat_ngram_size=0,
            eos_token_id=sorted(self._policy.end_ids),
            pad_token_id=min(self._policy.end_ids),
        )
        prompt = torch.tensor([request.ids], device=self._policy.device)
        with self._policy.arithmetic():
            output = model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                generation_config=config,
                logits_processor=LogitsProcessorList([draw]),
            )
        ids = tuple(output[0, len(request.ids) :].tolist())
        stopped = ids[-1] in self._policy.end_ids
        return Generation(
            ids=ids, logprobs=tuple(draw.logprobs), finish="stop" if stopped else "length"
        )


class _Draw(LogitsProcessor):
    """Draws the token itself and leaves greedy search no choice."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.logprobs: list[float] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        ids, logprobs = sample(
            scores.float(),
            seeds=[self._request.seed],
            indices=[len(self.logprobs)],
            temperatures=[self._request.temperature],
        )
        self.logprobs += logprobs
        forced = torch.full_like(scores, -torch.inf)
        forced[0, ids[0]] = 0.0
        return forced

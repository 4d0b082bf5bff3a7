"""The naive engine: transformers' `generate`, one request at a time, nothing kept.

An oracle for the other one, and what plays a model that reads pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from agentgym.engine import Generation, Request
from agentgym.errors import EngineError, boundary
from agentgym.meter import Meter
from agentgym.trainers.engines.sampling import all_or_none, sample
from agentgym.trainers.policy import Policy
from agentgym.types import EpisodeId


class NaiveEngine:
    """Slow and plain; draws the tokens that the local engine draws, up to rounding."""

    def __init__(
        self, policy: Policy, *, context: int | None = None, meter: Meter | None = None
    ) -> None:
        """Generate with this policy.

        Args:
            context: the longest sequence in tokens; None is what the model was made for.
            meter: what to measure with; all of a request counts as decoding.
        """
        self._policy = policy
        self._context = context or policy.context
        self._meter = meter or Meter()

    async def generate(self, request: Request) -> Generation:
        """Sample one action from the whole sequence.

        Raises:
            EngineError: the model failed.
        """
        room = min(request.max_tokens, self._context - len(request.ids))
        if room < 1:
            return Generation(ids=(), logprobs=(), finish="length")
        with boundary(EngineError, "naive engine"), self._meter.phase("decode"):
            return self._run(request, room)

    def release(self, episode: EpisodeId) -> None:
        """Nothing is kept between turns."""

    def reset(self) -> None:
        """Nor between updates."""

    def _run(self, request: Request, room: int) -> Generation:
        model: Any = self._policy.model
        draw, said = _Draw(request, self._policy), _Said(request, self._policy)
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
        vision = self._policy.vision
        seen = {} if vision is None else vision.inputs(prompt, [request.images])
        with self._policy.arithmetic():
            output = model.generate(
                prompt,
                **seen,
                attention_mask=torch.ones_like(prompt),
                generation_config=config,
                logits_processor=LogitsProcessorList([draw]),
                stopping_criteria=StoppingCriteriaList([said]),
            )
        ids = tuple(output[0, len(request.ids) :].tolist())
        stopped = ids[-1] in self._policy.end_ids or said.find(ids)
        return Generation(
            ids=ids,
            logprobs=tuple(draw.logprobs),
            finish="stop" if stopped else "length",
            kept=all_or_none(draw.kept),
        )


class _Draw(LogitsProcessor):
    """Draws the token itself and leaves greedy search no choice."""

    def __init__(self, request: Request, policy: Policy) -> None:
        self._request = request
        self._policy = policy
        self.logprobs: list[float] = []
        self.kept: list[float | None] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        drawn = sample(
            self._policy.allowed(scores.float()),
            seeds=[self._request.seed],
            indices=[len(self.logprobs)],
            samplers=[self._request.sampler],
        )
        self.logprobs += drawn.logprobs
        self.kept += drawn.kept
        forced = torch.full_like(scores, -torch.inf)
        forced[0, drawn.ids[0]] = 0.0
        return forced


class _Said(StoppingCriteria):
    """Stops where a stop string stands in the text of all that was sampled."""

    def __init__(self, request: Request, policy: Policy) -> None:
        self._request = request
        self._policy = policy

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Tensor:
        found = self.find(input_ids[0, len(self._request.ids) :].tolist())
        return torch.tensor([found], device=input_ids.device)

    def find(self, ids: Sequence[int]) -> bool:
        """Whether one is in the text of these."""
        text = self._policy.decode(ids)
        return any(stop in text for stop in self._request.sampler.stop)

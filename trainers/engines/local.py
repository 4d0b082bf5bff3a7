"""The local engine: continuous batching in this process, keys and values kept between turns.

A step feeds every waiting episode's new tokens through the model at once: the whole of a new
prompt, or the one token sampled last. It starts when nothing else in the event loop can run, and
takes its rows ordered by episode, so with environments that answer at once a step's batch is a
function of tokens, not of time.

With static decode (see `Decode`), on a GPU, a step does either: new prompts wait until as many
episodes wait with them as without.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from agentgym.engine import Generation, Request
from agentgym.errors import AgentGymError, EngineError, UsageError, boundary
from agentgym.meter import Meter
from agentgym.trainers import attention
from agentgym.trainers.engines.decode import Decode
from agentgym.trainers.engines.packed import Packed, Piece
from agentgym.trainers.engines.sampling import all_or_none, sample
from agentgym.trainers.engines.slots import Slots
from agentgym.trainers.engines.stops import completes
from agentgym.trainers.policy import Policy
from agentgym.types import EpisodeId, Finish

QUIET_PASSES = 4
"""Passes of the event loop without news before a step. An answer that reaches its episode through
`asyncio.wait_for` (a task of its own) needs up to four passes to come back as a request."""

MAX_STEP_TOKENS = 8192
"""More new tokens than this are read in several steps."""


@dataclass(slots=True)
class _Job:
    """A request under way."""

    request: Request
    future: asyncio.Future[Generation]
    room: int
    """Tokens that it may sample."""
    tokens: list[int]
    """The request's, then the sampled ones."""
    logprobs: list[float] = field(default_factory=list)
    kept: list[float | None] = field(default_factory=list)


@dataclass(slots=True)
class _Row:
    """A live episode's place in the cache."""

    slot: int
    tokens: list[int] = field(default_factory=list)
    length: int = 0
    """How many of `tokens` are in the slot, or were in it when the episode lost it."""


class LocalEngine:
    """Generates with the trainer's own model; call `reset` whenever its weights have changed."""

    def __init__(
        self,
        policy: Policy,
        *,
        context: int | None = None,
        max_episodes: int = 256,
        kv_tokens: int | None = None,
        static_decode: bool | None = None,
        meter: Meter | None = None,
    ) -> None:
        """Generate with this policy.

        Args:
            context: the longest sequence in tokens; None is what the model was made for.
            max_episodes: so many are kept at once; others wait, in order, until one is released or
                all of them are with their environments.
            kv_tokens: see `Slots`.
            static_decode: see `Decode`; None: on a GPU, for on a CPU it would read for nothing.
            meter: what to measure with.

        Raises:
            UsageError: the architecture does not let us do its attention, or `kv_tokens` are
                fewer than one episode may have.
        """
        # Before it is copied: the hook is part of the model's configuration.
        with policy.arithmetic():
            windows = attention.install(policy.model)
        if windows:
            raise UsageError(
                f"attention with sliding_window={min(windows)} is not supported by the local engine"
            )
        self._policy = policy
        self._reader = policy.reading_copy()
        self._context = context or policy.context
        self._max_step_tokens = max(MAX_STEP_TOKENS, max_episodes)
        self._slots = Slots(
            policy.model,
            dtype=policy.dtype,
            max_slots=max_episodes,
            max_length=self._context,
            max_tokens=kv_tokens,
        )
        if static_decode is None:
            static_decode = policy.device.type == "cuda"
        self._decode = Decode(self._reader, self._slots) if static_decode else None
        self._meter = meter or Meter()
        self._rows: dict[EpisodeId, _Row] = {}
        self._lost: dict[EpisodeId, _Row] = {}
        """Episodes that lost their slots, as they were then."""
        self._jobs: dict[EpisodeId, _Job] = {}
        self._driver: asyncio.Task[None] | None = None
        self._num_news = 0

    async def generate(self, request: Request) -> Generation:
        """Sample one action.

        Raises:
            EngineError: the model failed, or the episode has a request under way already.
        """
        room = min(request.max_tokens, self._context - len(request.ids))
        if room < 1:
            return Generation(ids=(), logprobs=(), finish="length")
        if request.episode in self._jobs:
            raise EngineError(f"{request.episode} has a request under way already")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Generation] = loop.create_future()
        job = _Job(request=request, future=future, room=room, tokens=list(request.ids))
        self._jobs[request.episode] = job
        self._wake()
        try:
            return await future
        finally:
            # Still there when the caller was cancelled (a deadline); what was read stays cached.
            if self._jobs.get(request.episode) is job:
                del self._jobs[request.episode]

    def release(self, episode: EpisodeId) -> None:
        """The episode is over: free its slot. Unknown ids are ignored."""
        self._lost.pop(episode, None)
        self._free(episode)
        if not self._rows:
            # What follows, such as an update, needs the memory more.
            self._slots.clear()
        self._wake()

    def reset(self) -> None:
        """Forget everything that was computed with the weights so far."""
        self._rows.clear()
        self._lost.clear()
        self._slots.clear()
        self._reader.refresh(self._policy)

    def _free(self, episode: EpisodeId) -> _Row | None:
        """Free an episode's slot, if it has one; what was in it."""
        gone = self._rows.pop(episode, None)
        if gone is not None:
            # The last slot moves into the hole: used slots stay together and are read in place.
            last = len(self._rows)
            for row in self._rows.values():
                if row.slot == last:
                    self._slots.move(last, gone.slot, length=row.length)
                    row.slot = gone.slot
        return gone

    def _wake(self) -> None:
        """Something changed: see to it that waiting requests are served."""
        self._num_news += 1
        if self._jobs and (self._driver is None or self._driver.done()):
            self._driver = asyncio.get_running_loop().create_task(self._drive())

    async def _drive(self) -> None:
        """Step until no request can be served; the next news starts this again."""
        await self._settle()
        while self._serve():
            await self._settle()

    def _serve(self) -> bool:
        """One step, if any request can be served; its seconds go to prefill and decode."""
        with self._meter.phase("step"):
            placed: Sequence[tuple[_Job, _Row]] = ()
            pieces: Sequence[Piece] = ()
            try:
                with boundary(EngineError, "local engine"):
                    placed = self._choose(self._place())
                    pieces = self._cut([row for _, row in placed])
                    self._step(placed, pieces)
            except AgentGymError as error:
                self._fail(str(error))
        # A step that does both is divided by tokens.
        num_decoded = sum(
            len(piece.ids) == 1 and piece.start >= len(job.request.ids)
            for piece, (job, _) in zip(pieces, placed, strict=True)
        )
        num_prefilled = sum(len(piece.ids) for piece in pieces) - num_decoded
        self._meter.count("tokens/prefilled", num_prefilled)
        if placed:
            self._meter.split("step", {"prefill": num_prefilled, "decode": num_decoded})
        return bool(placed)

    async def _settle(self) -> None:
        """Let everything else in the event loop run until it has nothing new to say."""
        quiet = 0
        while quiet < QUIET_PASSES:
            seen = self._num_news
            await asyncio.sleep(0)
            quiet = quiet + 1 if self._num_news == seen else 0

    def _place(self) -> list[tuple[_Job, _Row]]:
        """The requests that have a slot, ordered by episode."""
        order = sorted(self._jobs, key=_order)
        for episode in order:
            if episode in self._rows:
                self._rows[episode] = self._go_on(self._rows[episode], self._jobs[episode])
        while not self._slots.fits(len(self._rows), self._longest()):
            self._evict()
        self._admit(order)
        while order and not any(episode in self._rows for episode in order):
            # All that have slots are with their environments; rather than wait for one of them.
            self._evict()
            self._admit(order)
        return [(self._jobs[e], self._rows[e]) for e in order if e in self._rows]

    def _choose(self, placed: Sequence[tuple[_Job, _Row]]) -> Sequence[tuple[_Job, _Row]]:
        """Those whom the next step serves."""
        if self._decode is None:
            return placed
        one = [(job, row) for job, row in placed if len(row.tokens) - row.length == 1]
        more = [(job, row) for job, row in placed if len(row.tokens) - row.length > 1]
        return more if len(more) >= len(one) else one

    def _longest(self) -> int:
        """The tokens that a slot must hold."""
        return max((len(row.tokens) for row in self._rows.values()), default=0)

    def _admit(self, order: Sequence[EpisodeId]) -> None:
        """Give slots to requests without one, as far as there are any to the end of their turns."""
        longest = self._longest()
        for episode in order:
            job, slot = self._jobs[episode], len(self._rows)
            length = max(longest, len(job.request.ids) + job.room)
            if episode in self._rows or not self._slots.fits(slot + 1, length):
                continue
            lost = self._lost.pop(episode, None)
            if lost is not None:
                self._meter.count("tokens/reread", self._go_on(lost, job).length)
            self._rows[episode] = _Row(slot=slot, tokens=job.tokens)
            longest = max(longest, len(job.tokens))

    def _evict(self) -> None:
        """Take the longest episode's slot, for all others are made as long."""
        episode = max(self._rows, key=lambda e: (len(self._rows[e].tokens), _order(e)))
        lost = self._free(episode)
        assert lost is not None
        self._lost[episode] = lost
        self._meter.count("evictions")

    @staticmethod
    def _go_on(row: _Row, job: _Job) -> _Row:
        """The row with a job's tokens; of what is in it, what they begin with is still right."""
        if row.tokens is job.tokens:
            return row
        shared = _shared_prefix(row.tokens[: row.length], job.tokens)
        # The last token is read in any case: its output is what the first draw needs.
        return _Row(slot=row.slot, tokens=job.tokens, length=min(shared, len(job.tokens) - 1))

    @torch.inference_mode()
    def _step(self, placed: Sequence[tuple[_Job, _Row]], pieces: Sequence[Piece]) -> None:
        """Read one batch of new tokens, draw where all are read, answer what is finished."""
        if not placed:
            return
        self._slots.reserve(len(self._rows), self._longest())
        with self._reader.arithmetic():
            hidden_PH = self._read(pieces)
        for (_, row), piece in zip(placed, pieces, strict=True):
            row.length += len(piece.ids)
        read = [i for i, (_, row) in enumerate(placed) if row.length == len(row.tokens)]
        for low in range(0, len(read), self._reader.chunk):
            some = read[low : low + self._reader.chunk]
            self._draw([placed[i][0] for i in some], hidden_PH[some])

    def _read(self, pieces: Sequence[Piece]) -> Tensor:
        """Hidden states at the ends of pieces, `[pieces, hidden]`."""
        if self._decode is not None and all(len(piece.ids) == 1 for piece in pieces):
            free = {row.slot: row.length for row in self._rows.values()}
            return self._decode.read(pieces, free)
        packed = Packed(self._slots, pieces)
        hidden_TH = attention.packed_forward(
            self._reader.model.base_model, packed.token_ids, packed.position_ids, attend=packed
        )
        return hidden_TH[packed.last]

    def _draw(self, jobs: Sequence[_Job], hidden_BH: Tensor) -> None:
        """Sample one token for each, and answer what is finished."""
        drawn = sample(
            self._reader.logits(hidden_BH),
            seeds=[job.request.seed for job in jobs],
            indices=[len(job.logprobs) for job in jobs],
            samplers=[job.request.sampler for job in jobs],
        )
        rows = zip(jobs, drawn.ids, drawn.logprobs, drawn.kept, strict=True)
        for job, token, logprob, kept in rows:
            job.tokens.append(token)
            job.logprobs.append(logprob)
            job.kept.append(kept)
            if token in self._policy.end_ids or self._is_said(job):
                self._answer(job, "stop")
            elif len(job.logprobs) == job.room:
                self._answer(job, "length")

    def _is_said(self, job: _Job) -> bool:
        """Whether the last token completes a stop string."""
        stop = job.request.sampler.stop
        sampled = job.tokens[len(job.request.ids) :] if stop else []
        return bool(stop) and completes(sampled, stop, self._policy.decode)

    def _cut(self, rows: Sequence[_Row]) -> list[Piece]:
        """Each row's unread tokens; the budget beyond one each goes to the first rows."""
        spare = self._max_step_tokens - len(rows)
        pieces = []
        for row in rows:
            ids = row.tokens[row.length : row.length + 1 + spare]
            spare -= len(ids) - 1
            pieces.append(Piece(slot=row.slot, start=row.length, ids=ids))
        return pieces

    def _answer(self, job: _Job, finish: Finish) -> None:
        sampled = tuple(job.tokens[len(job.request.ids) :])
        del self._jobs[job.request.episode]
        if not job.future.done():
            job.future.set_result(
                Generation(
                    ids=sampled,
                    logprobs=tuple(job.logprobs),
                    finish=finish,
                    kept=all_or_none(job.kept),
                )
            )

    def _fail(self, message: str) -> None:
        """Answer every request with an error, and read again what other episodes go on with.

        Memory may have run out while the slots grew, with some layers done and others not.
        """
        for job in self._jobs.values():
            if not job.future.done():
                job.future.set_exception(EngineError(message))
        self._jobs.clear()
        self._lost.update(self._rows)
        self._rows.clear()
        self._slots.clear()


def _order(episode: EpisodeId) -> tuple[int, int, int]:
    return episode.step, episode.group, episode.member


def _shared_prefix(first: list[int], second: list[int]) -> int:
    """How many leading tokens are equal."""
    if first == second[: len(first)]:
        return len(first)
    pairs = zip(first, second, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), len(second))

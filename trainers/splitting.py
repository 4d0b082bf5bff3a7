"""Work on micro-batches that is split where memory runs out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import torch

from agentgym.errors import AgentGymError
from agentgym.trainers.batches import MicroBatch


class MemoryFullError(AgentGymError):
    """A single sequence does not fit into memory; nothing of the step is saved."""


def run_all(
    batches: Iterable[MicroBatch],
    work: Callable[[MicroBatch], None],
    *,
    restart: Callable[[], None] | None = None,
) -> int:
    """Do the work on every micro-batch, in smaller ones where memory runs out.

    Then every micro-batch to come is halved that is as large as the one that failed.

    Args:
        restart: takes back all work so far, which is then done again, since work that broke off may
            have left half a gradient; None where what is done stands.

    Returns:
        How often memory ran out.

    Raises:
        MemoryFullError: one sequence alone does not fit.
    """
    waiting = list(batches)
    num_splits = 0
    while (failed := _find_failed(waiting, work)) is not None:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        num_splits += 1
        rest = waiting if restart is not None else waiting[failed:]
        waiting = list(_halve(rest, waiting[failed], trained=restart is not None))
        if restart is not None:
            restart()
    return num_splits


def _find_failed(batches: Sequence[MicroBatch], work: Callable[[MicroBatch], None]) -> int | None:
    """The first micro-batch that memory did not suffice for; None where all work is done."""
    for place, batch in enumerate(batches):
        try:
            work(batch)
        except torch.OutOfMemoryError:
            # Acted on by the caller: here the exception still holds the tensors of the failed pass.
            return place
    return None


def _halve(
    batches: Iterable[MicroBatch], failed: MicroBatch, *, trained: bool
) -> Iterator[MicroBatch]:
    """The micro-batches, with those in halves that hold as many tokens as the failed one."""
    if len(failed.members) == 1:
        what = "backward pass" if trained else "scoring"
        advice = "--train.recompute true, or with " if trained else ""
        raise MemoryFullError(
            f"the {what} of one sequence of {len(failed.ids[0])} tokens does not fit into memory; "
            f"begin a run with {advice}a smaller --model.context"
        )
    limit = _num_tokens(failed)
    for batch in batches:
        if len(batch.members) == 1 or _num_tokens(batch) < limit:
            yield batch
            continue
        middle = len(batch.members) // 2
        for part in (slice(middle), slice(middle, None)):
            yield replace(
                batch,
                members=batch.members[part],
                ids=batch.ids[part],
                targets=batch.targets[part],
                wanted=batch.wanted[part],
                images=batch.images[part],
            )


def _num_tokens(batch: MicroBatch) -> int:
    return sum(map(len, batch.ids))

"""The processes of a run: one thread or one GPU each, gradients averaged between them."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """This process's place among the processes of a run."""

    rank: int
    size: int

    @property
    def leads(self) -> bool:
        """Whether this process prints, stores and reports."""
        return self.rank == 0

    def share(self, items: Iterable[T]) -> list[T]:
        """This process's part of a list that every process holds: every `size`-th item."""
        return list(items)[self.rank :: self.size]

    def sum_(self, tensors: Iterable[Tensor]) -> None:
        """Sum tensors over the processes, in place, as one flat message."""
        if self.size == 1:
            return
        kept = list(tensors)
        flat = torch.cat([tensor.reshape(-1) for tensor in kept])
        dist.all_reduce(flat)
        start = 0
        for tensor in kept:
            tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
            start += tensor.numel()

    def sum_floats(self, values: dict[str, float]) -> dict[str, float]:
        """Sum named numbers over the processes; every process must pass the same names."""
        device = "cuda" if torch.cuda.is_available() else "cpu"  # as the backend wants it
        total = torch.tensor(list(values.values()), dtype=torch.float64, device=device)
        self.sum_([total])
        return dict(zip(values, total.tolist(), strict=True))

    def gather(self, item: T) -> list[T]:
        """One item of every process, on the leading process; an empty list on the others."""
        if self.size == 1:
            return [item]
        items: list[Any] | None = [None] * self.size if self.leads else None
        dist.gather_object(item, items)
        return items or []

    def broadcast_(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors by those of the leading process."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            dist.barrier()

    def any(self, flag: bool) -> bool:
        """Whether any process raised the flag; every process must ask."""
        return self.sum_floats({"flag": float(flag)})["flag"] > 0


def launch(size: int, work: Callable[..., T], *args: Any) -> T:
    """Run `work(world, *args)` in `size` processes; returns what the leading one returns.

    This process leads; the others are daemons that ignore Ctrl-C, which the leader turns into
    an orderly stop. Under `torchrun` the processes exist already and only join.
    """
    if "RANK" in os.environ and "WORLD_SIZE" in os.environ:
        with _joined("env://", int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])) as world:
            return work(world, *args)
    if size == 1:
        return work(World(rank=0, size=1), *args)
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="agentgym-") as folder:
        meeting = f"file://{Path(folder) / 'meeting'}"
        others = [
            context.Process(target=_follow, args=(meeting, rank, size, work, args), daemon=True)
            for rank in range(1, size)
        ]
        for process in others:
            process.start()
        try:
            with _joined(meeting, 0, size) as world:
                return work(world, *args)
        finally:
            for process in others:
                process.join(timeout=5)
                process.kill()


def _follow(meeting: str, rank: int, size: int, work: Callable[..., Any], args: Any) -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with _joined(meeting, rank, size) as world:
        work(world, *args)


@contextmanager
def _joined(meeting: str, rank: int, size: int) -> Iterator[World]:
    """Join the process group and leave it at the end."""
    num_threads = torch.get_num_threads()
    if not torch.cuda.is_available():
        # One thread each: tensors of small models are too small for two, and the second core
        # is the second process.
        torch.set_num_threads(max(1, (os.cpu_count() or size) // size))
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    else:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", rank)))
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, init_method=meeting, rank=rank, world_size=size)
    try:
        yield World(rank=rank, size=size)
    finally:
        dist.destroy_process_group()
        torch.set_num_threads(num_threads)

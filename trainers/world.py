"""The processes of a run: a share of the cores or one GPU each, gradients summed over them."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from agentgym.errors import AgentGymError, UsageError, WorkerError

T = TypeVar("T")

END_S = 5.0
"""How long a following process may take to end after its work."""
CUT_OFF = 3
"""Exit code of a process that lost the others, and is not to blame."""


class _LostContact(WorkerError):
    """Another process ended while this one talked to it."""


@contextmanager
def _talking() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise _LostContact(str(error).splitlines()[0]) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """This process's place among the processes of a run."""

    rank: int
    size: int
    device: str = "cpu"
    """Where tensors must lie to be summed, such as "cpu" or "cuda"; of several processes each has
    the GPU of its rank."""

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
        with _talking():
            dist.all_reduce(flat)
        start = 0
        for tensor in kept:
            tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
            start += tensor.numel()

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Sum the gradients of trained parameters; a process that has none counts as zero."""
        trained = [p for p in parameters if p.requires_grad]
        for parameter in trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        self.sum_(p.grad for p in trained if p.grad is not None)

    def sum_floats(self, values: dict[str, float]) -> dict[str, float]:
        """Sum named numbers over the processes; every process must pass the same names."""
        total = torch.tensor(list(values.values()), dtype=torch.float64, device=self.device)
        self.sum_([total])
        return dict(zip(values, total.tolist(), strict=True))

    def gather(self, item: T) -> list[T]:
        """One item of every process, on the leading process; an empty list on the others."""
        if self.size == 1:
            return [item]
        items: list[Any] | None = [None] * self.size if self.leads else None
        with _talking():
            dist.gather_object(item, items)
        return items or []

    def gather_all(self, item: T) -> list[T]:
        """One item of every process, on every process."""
        if self.size == 1:
            return [item]
        items: list[Any] = [None] * self.size
        with _talking():
            dist.all_gather_object(items, item)
        return items

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            with _talking():
                dist.barrier()

    def any(self, flag: bool) -> bool:
        """Whether any process raised the flag; every process must ask."""
        return self.sum_floats({"flag": float(flag)})["flag"] > 0


def launch(size: int, device: str, work: Callable[..., T], *args: Any) -> T:
    """Run `work(world, *args)` in `size` processes; returns what the leading one returns.

    This process leads; the others follow, ignore Ctrl-C, which the leader turns into an orderly
    stop, and end with it.

    Args:
        device: such as "cpu" or "cuda"; several processes have one GPU each.
        work: a function of a module, which the others import by name.

    Raises:
        UsageError: there are fewer GPUs than processes.
        WorkerError: another process failed; the message is its own, or how it ended.
    """
    if size == 1:
        if ":" in device:  # what asks for no device, such as a stream, gets this one
            torch.cuda.set_device(torch.device(device))
        return work(World(rank=0, size=1, device=device), *args)
    if device == "cuda" and size > torch.cuda.device_count():
        raise UsageError(
            f"processes is {size}, but there are {torch.cuda.device_count()} GPUs; "
            "set --processes, or --model.device cpu"
        )
    with tempfile.TemporaryDirectory(prefix="agentgym-") as folder:
        meeting = f"file://{Path(folder) / 'meeting'}"
        ranks = range(1, size)
        jobs = [(meeting, World(rank=r, size=size, device=device), work, args) for r in ranks]
        others = [_start(job) for job in jobs]
        try:
            for process in others:
                _expect_ready(process)
            with _joined(meeting, World(rank=0, size=size, device=device)) as world:
                return work(world, *args)
        except _LostContact as error:
            raise WorkerError(_last_words(others) or str(error)) from error
        finally:
            for process in others:
                _end(process)


def _start(job: tuple[Any, ...]) -> subprocess.Popen[bytes]:
    """A process that does the job; unlike `multiprocessing`, it never runs the user's script."""
    command = [sys.executable, "-c", "from agentgym.trainers.world import follow; follow()"]
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdin is not None
    pickle.dump(job, process.stdin)
    process.stdin.flush()
    return process


def _expect_ready(process: subprocess.Popen[bytes]) -> None:
    """Wait until the process has its job; one that died would be waited for in vain."""
    assert process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        raise WorkerError(f"a training process ended at its start, exit code {process.wait()}")


def _last_words(processes: Iterable[subprocess.Popen[bytes]]) -> str:
    """The error that a failed process told on its way out, otherwise how it ended."""
    ends = []
    for rank, process in enumerate(processes, start=1):
        with suppress(subprocess.TimeoutExpired):
            said, _ = process.communicate(timeout=END_S)
            if said:
                return said.decode(errors="replace").strip()
        if process.returncode not in (None, 0, CUT_OFF):
            ends.append(f"training process {rank} {_how(process.returncode)}")
    return "; ".join(ends)


def _how(code: int) -> str:
    """How a process ended."""
    if code >= 0:
        return f"ended with exit code {code}; what it said is above"
    name = signal.Signals(-code).name
    return f"was ended by {name}" + (", perhaps for memory" if name == "SIGKILL" else "")


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=END_S)
    process.kill()
    process.wait()


def follow() -> None:
    """The main function of a process that follows: read the job, do it, tell what went wrong."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    meeting, own, work, args = pickle.load(sys.stdin.buffer)
    report, sys.stdout = sys.stdout, sys.stderr  # nothing printed may pass for a report
    print("ready", file=report, flush=True)
    try:
        with _joined(meeting, own) as world:
            work(world, *args)
    except _LostContact:
        sys.exit(CUT_OFF)
    except AgentGymError as error:
        print(f"{type(error).__name__}: {error}", file=report, flush=True)
        sys.exit(1)


@contextmanager
def _joined(meeting: str, world: World) -> Iterator[World]:
    """Join the process group and leave it at the end."""
    num_threads = torch.get_num_threads()
    if world.device == "cuda":
        torch.cuda.set_device(world.rank)
    else:
        # An even share of the cores: more threads would only wait for each other.
        torch.set_num_threads(max(1, (os.cpu_count() or world.size) // world.size))
        if sys.platform == "linux":
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    backend = "nccl" if world.device == "cuda" else "gloo"
    with _talking():
        dist.init_process_group(
            backend, init_method=meeting, rank=world.rank, world_size=world.size
        )
    try:
        yield world
    finally:
        dist.destroy_process_group()
        torch.set_num_threads(num_threads)

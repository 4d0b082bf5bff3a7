"""How much memory a run takes, and what of it can be given back."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import sys
from collections import defaultdict
from pathlib import Path

import torch

FACT = re.compile(r"^(PPid|VmHWM):\s+(\d+)", re.MULTILINE)
"""Of a `/proc/PID/status`: the parent, and the peak resident size in KiB."""


def peak_rss_gb() -> float:
    """The peak resident sizes of this process and of all below it that live now, summed, in GiB.

    Below it are a pool's workers and the other processes of a run. Their peaks need not have come
    at one time, and pages that they share count for each: the sum is an upper bound for those that
    live; a worker that was replaced is not in it. Elsewhere than on Linux it is this process alone.

    `RUSAGE_CHILDREN` would not do: it is the largest one's, not the sum, and a process begins with
    the peak of the one that started it.
    """
    if sys.platform != "linux":
        return own_peak_gb()
    peaks: dict[int, int] = {}
    children: defaultdict[int, list[int]] = defaultdict(list)
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            facts = dict(FACT.findall(path.read_text(encoding="utf-8", errors="replace")))
        except OSError:  # it ended meanwhile
            continue
        pid = int(path.parent.name)
        peaks[pid] = int(facts.get("VmHWM", 0))  # a zombie has none
        children[int(facts["PPid"])].append(pid)
    found, waiting = 0, [os.getpid()]
    while waiting:
        pid = waiting.pop()
        found += peaks[pid]
        waiting += children[pid]
    return found / (1 << 20)


def own_peak_gb() -> float:
    """The peak resident size of this process, in GiB."""
    if sys.platform != "linux":
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (1 << 30 if sys.platform == "darwin" else 1 << 20)
    facts = dict(FACT.findall(Path("/proc/self/status").read_text(encoding="utf-8")))
    return int(facts["VmHWM"]) / (1 << 20)


def give_back() -> None:
    """Give what is free in this process's heap back to the system, where the C library is glibc,
    and to the GPU.

    By themselves glibc and PyTorch keep what lies between blocks that live: the next phase of a
    step, whose tensors are of other sizes, would take its own beside it.
    """
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def forget_peak() -> None:
    """Let the peak of this process's GPU begin anew."""
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()


def peaks() -> dict[str, float]:
    """This process's peaks of memory as metrics: since it began, and its GPU's since `forget_peak`.

    Of this process alone, for to look at all others takes as long as a small step.
    """
    found = {"memory/peak_rss_gb": own_peak_gb()}
    if torch.cuda.is_initialized():
        found["memory/peak_gpu_gb"] = torch.cuda.max_memory_allocated() / 2**30
    return found

"""When jobs can run, where some may run at once."""

from __future__ import annotations

from collections.abc import Mapping

from topo.graph import Graph


def waves(graph: Graph) -> list[list[str]]:
    """The jobs in waves: each in the first one that comes after all of its needs."""
    place: dict[str, int] = {}
    for job in graph.order():
        place[job] = 1 + max((place[each] for each in graph.needs[job]), default=-1)
    found: list[list[str]] = [[] for _ in range(max(place.values(), default=-1) + 1)]
    for job in sorted(place):
        found[place[job]].append(job)
    return found


def critical_path(graph: Graph, seconds: Mapping[str, int]) -> tuple[int, list[str]]:
    """How long all takes at least, and the jobs that make it so, in order."""
    end: dict[str, int] = {}
    before: dict[str, str | None] = {}
    for job in graph.order():
        last = max(sorted(graph.needs[job]), key=lambda each: end[each], default=None)
        before[job] = last
        end[job] = seconds[job] + (end[last] if last is not None else 0)
    if not end:
        return 0, []
    job: str | None = max(sorted(end), key=lambda each: end[each])
    total, path = end[job] if job is not None else 0, []
    while job is not None:
        path.append(job)
        job = before[job]
    return total, path[::-1]

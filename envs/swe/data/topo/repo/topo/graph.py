"""Graph: jobs, and which of them others wait for."""

from __future__ import annotations

import heapq
from collections.abc import Iterable


class Cycle(ValueError):
    """Jobs that wait for each other, in a round."""

    def __init__(self, jobs: list[str]) -> None:
        super().__init__(" -> ".join([*jobs, jobs[0]]))
        self.jobs = jobs


class Graph:
    """Jobs by name; `add(job, needs)` may be called again for the same job."""

    def __init__(self) -> None:
        self.needs: dict[str, set[str]] = {}

    def add(self, job: str, needs: Iterable[str] = ()) -> None:
        """Let a job wait for others."""
        self.needs.setdefault(job, set())
        for each in needs:
            self.needs.setdefault(each, set())
            self.needs[job].add(each)

    def order(self) -> list[str]:
        """All jobs, each after what it needs; of those that could be next, the first by name."""
        left = {job: len(needs) for job, needs in self.needs.items()}
        waiting: dict[str, list[str]] = {job: [] for job in self.needs}
        for job, needs in self.needs.items():
            for each in needs:
                waiting[each].append(job)
        ready = [job for job, count in left.items() if count == 0]
        heapq.heapify(ready)
        found = []
        while ready:
            job = heapq.heappop(ready)
            found.append(job)
            for each in waiting[job]:
                left[each] -= 1
                if left[each] == 0:
                    heapq.heappush(ready, each)
        if len(found) < len(self.needs):
            raise Cycle(self.find_cycle() or [])
        return found

    def find_cycle(self) -> list[str] | None:
        """Some jobs that wait for each other, each for the next one; None where there are none."""
        done: set[str] = set()
        for start in sorted(self.needs):
            trail: list[str] = []
            stack = [iter([start])]
            while stack:
                job = next(stack[-1], None)
                if job is None:
                    stack.pop()
                    if trail:
                        done.add(trail.pop())
                elif job in trail:
                    return trail[trail.index(job) :]
                elif job not in done:
                    trail.append(job)
                    stack.append(iter(sorted(self.needs[job])))
        return None

    def all_needs(self, job: str) -> set[str]:
        """What must be done before a job, the needs of its needs included."""
        found: set[str] = set()
        left = [*self.needs[job]]
        while left:
            each = left.pop()
            if each not in found:
                found.add(each)
                left += self.needs[each]
        return found

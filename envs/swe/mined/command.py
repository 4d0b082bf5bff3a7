"""The command `agentgym swe build`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from agentgym.envs.swe.host import open_sandbox
from agentgym.envs.swe.mined.build import build
from agentgym.envs.swe.mined.panel import built_hashes, committed
from agentgym.envs.swe.mined.sdists import get_repository, repositories
from agentgym.sandbox import Limits


def build_all(names: Sequence[str], *, tasks: int) -> int:
    """Build the tasks of some repositories, or of all; 1 where they are not the committed ones.

    Raises:
        UsageError: the manifest has no such repository, or pip cannot fetch it.
        SandboxError: its tests do not run here.
    """
    sandbox = partial(open_sandbox, None, limits=Limits())
    wrong = 0
    for repository in [get_repository(name) for name in names or repositories()]:
        tally = build(
            repository, tasks=tasks, sandbox=sandbox, say=lambda line: print(line, flush=True)
        )
        counts = ", ".join(f"{count} {verdict}" for verdict, count in tally.verdicts.most_common())
        built = built_hashes(repository)
        pinned = {name: each for name, each in committed().items() if f"/{repository.id}/" in name}
        equal = sum(built.get(name) == each for name, each in pinned.items())
        other = sum(name in built and built[name] != each for name, each in pinned.items())
        wrong += other
        print(f"{repository.id}: {counts or 'nothing was tried'}")
        print(f"{repository.id}: of {len(pinned)} pinned tasks {equal} are built, {other} differ")
    return int(wrong > 0)

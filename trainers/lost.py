"""Lost episodes: which errors of ours they ended in, and where to read one of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from agentgym import store
from agentgym.errors import AgentGymError
from agentgym.replay import replay_command
from agentgym.store import Run
from agentgym.types import EpisodeId, ErrorInfo, Group

KIND = re.compile(r"[^:]*(: \w+(?=:))?")
"""What two messages of one kind have in common: the phase, and the type of what was raised."""
LINE = 200
"""Characters of a message that fit into a line of ours."""
OF_A_RUN = "regexp_matches(file, '^(step|eval|control)-')"
"""What the run itself played; `agentgym eval` adds files of its own."""
Lost: TypeAlias = tuple[str, EpisodeId, ErrorInfo]
"""The file, which episode, and what it ended in."""


class NoEpisodeError(AgentGymError):
    """Not one episode of an evaluation or of a train step is valid: there is nothing to go by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Errors of one kind."""

    message: str
    """The first one's type and message, on one line."""
    episodes: int
    file: str
    group: int
    member: int

    def tell(self, folder: Path) -> str:
        """The error, how often, and how to read it."""
        command = replay_command(folder, file=self.file, group=self.group, member=self.member)
        return f"{self.episodes} times {self.message}; read one: {command}"


def count_faults(lost: Iterable[Lost]) -> tuple[Fault, ...]:
    """The kinds of errors, the commonest first."""
    first: dict[tuple[str, str], Lost] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for each in lost:
        error = each[2]
        match = KIND.match(error.message)
        kind = error.type, match[0] if match else ""
        first.setdefault(kind, each)
        counts[kind] += 1
    faults = []
    for kind, count in counts.most_common():
        file, where, error = first[kind]
        message = " ".join(f"{error.type}: {error.message}".split())
        if len(message) > LINE:
            message = message[:LINE] + "..."
        faults.append(
            Fault(
                message=message,
                episodes=count,
                file=file,
                group=where.group,
                member=where.member,
            )
        )
    return tuple(faults)


def read_faults(run: Run) -> tuple[Fault, ...]:
    """What a run lost in its train steps and evaluations."""
    rows = run.connect().execute(
        'SELECT file, step, "group", member, error FROM episodes '
        f"WHERE error IS NOT NULL AND {OF_A_RUN} ORDER BY ALL"
    )
    return count_faults(
        (file, EpisodeId(step=step, group=group, member=member), ErrorInfo(**error))
        for file, step, group, member, error in rows.fetchall()
    )


def find_faults(groups: Sequence[Group], file: str) -> tuple[Fault, ...]:
    """What the groups of one episode file lost."""
    episodes = [episode for group in groups for episode in group.episodes]
    return count_faults((file, e.id, e.error) for e in episodes if e.error is not None)


def store_groups(groups: Sequence[Group], path: Path, *, what: str) -> None:
    """Store what was played, and see that there is something to go by.

    Args:
        what: was played, for people.

    Raises:
        NoEpisodeError: no episode is valid; the message has the commonest error.
    """
    episodes = [episode for group in groups for episode in group.episodes]
    store.write_episodes(path, episodes)
    if any(episode.valid for episode in episodes):
        return
    found = [fault.tell(path.parents[1]) for fault in find_faults(groups, path.stem)[:1]]
    said = f"{what}: not one of {len(episodes)} episodes is valid"
    raise NoEpisodeError("; ".join([said, *found]))

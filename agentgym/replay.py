"""One episode of a run: found, and as text to read, turn by turn with rewards and advantages."""

from __future__ import annotations

import re
import shlex
from itertools import chain
from pathlib import Path

from agentgym.errors import StoreError, UsageError, span
from agentgym.store import Run
from agentgym.types import Episode, Turn

ESCAPES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""What a terminal might obey, and lone surrogates, which no output can hold."""


def replay_command(
    folder: Path,
    *,
    file: str | None = None,
    step: int | None = None,
    group: int | None = None,
    member: int | None = None,
) -> str:
    """What to type in a shell to read an episode of a run; None leaves the choice to the command.

    >>> replay_command(Path("my run"), step=3, group=0)
    "agentgym replay 'my run' --step 3 --group 0"
    """
    options = {"file": file, "step": step, "group": group, "member": member}
    given = [(f"--{name}", str(value)) for name, value in options.items() if value is not None]
    return shlex.join(["agentgym", "replay", str(folder), *chain.from_iterable(given)])


def find_episode(
    run: Run, *, file: str | None, step: int | None, group: int, member: int
) -> Episode:
    """One stored episode.

    Args:
        file: an episode file without its ending.
        step: a train step; without a file either, it is the last one.

    Raises:
        UsageError: there is no such episode; the message says which there are.
        StoreError: no episode is stored, or the file is damaged.
    """
    if file is not None and step is not None:
        raise UsageError("give --file or --step, not both: each says which file is read")
    name, place = (file, f"'{file}'") if file is not None else _step_file(run, step)
    episodes = [episode for each in run.groups(name) for episode in each.episodes]
    members = {episode.id.member: episode for episode in episodes if episode.id.group == group}
    if not members:
        groups = sorted({episode.id.group for episode in episodes})
        raise UsageError(f"{place} has no group {group}; stored: {span(groups)}")
    if member not in members:
        stored = span(sorted(members))
        raise UsageError(f"group {group} of {place} has no member {member}; stored: {stored}")
    return members[member]


def _step_file(run: Run, step: int | None) -> tuple[str, str]:
    """The file of a train step and how to call it; a run without any is read from its end."""
    names = [path.stem for path in run.files()]
    if not names:
        raise StoreError(f"no episodes in '{run.folder}'")
    steps = run.steps()
    if not steps and step is not None:
        hint = f"there are only evaluations; name one with --file, such as {names[-1]}"
        raise UsageError(f"no train step {step} in '{run.folder}'; {hint}")
    if not steps:
        return names[-1], f"'{names[-1]}'"
    step = steps[-1] if step is None else step
    return run.step_file(step), f"train step {step}"


def printable(text: str) -> str:
    """The text with every control character but tabs and line ends replaced."""
    return ESCAPES.sub("?", text.replace("\r\n", "\n"))


def episode_text(episode: Episode) -> str:
    """The whole episode, one block a turn."""
    score = "none" if episode.score is None else f"{episode.score:g}"
    lines = [
        f"{episode.id}  task {episode.task_id}  {episode.env}",
        f"status {episode.status}  score {score}  turns {len(episode.turns)}",
        "",
        printable(episode.first.text) if episode.first else "(reset failed)",
    ]
    for number, turn in enumerate(episode.turns, start=1):
        lines += ["", *_turn_lines(episode, turn, number)]
    if episode.error:
        error = episode.error
        if error.action is not None:
            lines += ["", f"{len(episode.turns) + 1:>3} > {printable(error.action)}"]
        lines += ["", f"ended by {error.type} in {error.phase}: {printable(error.message)}"]
        if error.trace:
            lines += [printable(error.trace)]
    return "\n".join(lines)


def _turn_lines(episode: Episode, turn: Turn, number: int) -> list[str]:
    notes = [f"reward {turn.reward:g}"]
    if episode.advantages is not None:
        notes.append(f"advantage {episode.advantages[number - 1]:+.3f}")
    for name, value in turn.channels.items():
        notes.append(f"{name} {'none' if value is None else f'{value:+.3f}'}")
    if turn.invalid is not None:
        notes.append(f"invalid: {turn.invalid}")
    if turn.finish == "length":
        notes.append("cut by the token limit")
    return [
        f"{number:>3} > {printable(turn.text)}    [{', '.join(notes)}]",
        printable(turn.observation.text),
    ]

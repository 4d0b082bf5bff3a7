"""An episode as text to read: turn by turn, with rewards and advantages."""

from __future__ import annotations

import re

from agentgym.types import Episode, Turn

ESCAPES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""What a terminal might obey, and lone surrogates, which no output can hold."""


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

"""What can go wrong, by boundary; a failure is attributed where it happens and travels as data.

AgentGymError
|- UsageError (ValueError)     the user's input: an unknown name, a bad value
|- EnvError                    an environment raised or broke its contract
|  `- ScoreError               grading failed; the episode has no score
|- DeadlineError               a call outlived its deadline
|- WorkerError                 the process an environment lives in died, or cannot be started
|- SandboxError                a sandbox failed, as opposed to the command in it
|- EngineError                 generation failed
|- ContextError                a task's first prompt does not fit the model's context
`- StoreError                  a stored file is missing, torn or from another version
"""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from agentgym.types import ErrorInfo

MESSAGE_CHARS = 2000
"""A recorded message is cut to this; an environment may raise megabytes."""
TRACE_FRAMES = 8
"""So many frames of a recorded traceback are kept, the last ones."""

LISTED_NAMES = 40
"""So many known names an error may list; a panel has thousands of tasks."""


class AgentGymError(Exception):
    """The root of all our errors."""


class UsageError(AgentGymError, ValueError):
    """The user's input is wrong; the message names it and the nearest thing that exists."""


class EnvError(AgentGymError):
    """An environment raised or broke its contract."""


class ScoreError(EnvError):
    """Grading failed."""


class DeadlineError(AgentGymError):
    """A call outlived its deadline."""


class WorkerError(AgentGymError):
    """A worker process died, or could not be started."""


class SandboxError(AgentGymError):
    """A sandbox failed, as opposed to the command in it."""


class EngineError(AgentGymError):
    """Generation failed."""


class ContextError(AgentGymError):
    """A task's first prompt does not fit the model's context."""


class StoreError(AgentGymError):
    """A stored file is missing, torn, or of another version."""


def cut(message: str) -> str:
    """The message, its middle dropped when it is longer than `MESSAGE_CHARS`."""
    if len(message) <= MESSAGE_CHARS:
        return message
    half = MESSAGE_CHARS // 2
    return f"{message[:half]} ... [{len(message) - 2 * half} characters cut] ... {message[-half:]}"


@contextmanager
def boundary(error: type[AgentGymError], what: str) -> Iterator[None]:
    """Attribute any escaping exception to `error`; one of ours passes unchanged."""
    try:
        yield
    except AgentGymError:
        raise
    except Exception as cause:
        raise error(cut(f"{what}: {type(cause).__name__}: {cause}")) from cause


def trace_of(error: BaseException) -> str:
    """The last frames of what an error of ours was made from; "" for one that is ours alone.

    A note on the error is the trace of one that was raised in another process.
    """
    notes: list[str] = getattr(error, "__notes__", [])
    if notes:
        return notes[0]
    cause = error.__cause__
    if cause is None:
        return ""
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return cut("".join(traceback.format_tb(cause.__traceback__, limit=-TRACE_FRAMES)).rstrip())


def describe(error: BaseException, phase: str, *, action: str | None = None) -> ErrorInfo:
    """The record of an error that ended an episode; see `ErrorInfo` for `action`."""
    return ErrorInfo(
        type=type(error).__name__,
        phase=phase,
        message=cut(str(error)),
        action=action,
        trace=trace_of(error),
    )


def span(numbers: Sequence[int]) -> str:
    """Ascending numbers in words.

    >>> span([]), span([3]), span([3, 4, 7])
    ('none', '3', '3 to 7')
    """
    if not numbers:
        return "none"
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """An error that names the unknown thing and the nearest known one, otherwise all or a few."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        hint = f"did you mean '{near[0]}'?"
    elif len(names) <= LISTED_NAMES:
        hint = "known: " + ", ".join(names)
    else:
        hint = f"{len(names):,} are known, such as {', '.join(names[:3])}"
    return UsageError(f"unknown {kind} '{name}'; {hint}")

"""Lost episodes: kinds of errors, the commonest first, each with one to read."""

from __future__ import annotations

from pathlib import Path

from agentgym.trainers.lost import LINE, Lost, count_faults
from agentgym.types import EpisodeId, ErrorInfo


def lost(member: int, message: str, *, kind: str = "EnvError", file: str = "step-000001") -> Lost:
    where = EpisodeId(step=1, group=7, member=member)
    return file, where, ErrorInfo(type=kind, phase="turns", message=message)


def test_errors_are_of_one_kind_where_phase_and_exception_are() -> None:
    keys = [lost(member, f"step: KeyError: {member}") for member in (4, 5, 6)]
    other = lost(1, "step: ValueError: KeyError: 1")
    grading = lost(2, "outcome: KeyError: 2", kind="ScoreError")
    late = [lost(3, "step took longer than 1 s", kind="DeadlineError")] * 2
    faults = count_faults([other, grading, *late, *keys])
    assert [(fault.episodes, fault.member, fault.message) for fault in faults] == [
        (3, 4, "EnvError: step: KeyError: 4"),
        (2, 3, "DeadlineError: step took longer than 1 s"),
        (1, 1, "EnvError: step: ValueError: KeyError: 1"),
        (1, 2, "ScoreError: outcome: KeyError: 2"),
    ]
    assert faults[0].tell(Path("my runs")) == (
        "3 times EnvError: step: KeyError: 4; read one: "
        "agentgym replay 'my runs' --file step-000001 --group 7 --member 4"
    )


def test_a_fault_is_one_short_line_whatever_was_raised() -> None:
    (fault,) = count_faults([lost(0, "step: E:\n" + "x" * 9999)])
    assert "\n" not in fault.message
    assert len(fault.message) == LINE + len("...")
    assert count_faults([]) == ()

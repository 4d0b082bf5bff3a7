"""Several processes: what each sums, and whose failure is told as whose."""

from __future__ import annotations

import os
import signal
import sys

import pytest
import torch

from agentgym.errors import UsageError, WorkerError
from agentgym.trainers.world import World, launch

LEADER, FOLLOWER = 0, 1


def work(world: World, failing: int, how: str) -> list[int]:
    """Talk, and fail in one of the processes while the others wait for it."""
    world.wait()
    if world.rank == failing:
        match how:
            case "ours":
                raise UsageError("no such thing")
            case "a bug":
                raise RuntimeError("shapes differ")
            case "a signal":
                os.kill(os.getpid(), signal.SIGKILL)
            case "an exit":
                sys.exit(7)
    return world.gather_all(world.rank)


def test_what_the_leader_returns_is_returned() -> None:
    assert launch(3, "cpu", work, None, "") == [0, 1, 2]


def test_the_leaders_own_failure_is_raised_as_it_is() -> None:
    with pytest.raises(RuntimeError, match="^shapes differ$") as caught:
        launch(3, "cpu", work, LEADER, "a bug")
    assert caught.traceback[-1].name == "work"
    with pytest.raises(UsageError, match="^no such thing$"):
        launch(2, "cpu", work, LEADER, "ours")


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("ours", "^UsageError: no such thing$"),
        ("a bug", "^training process 1 ended with exit code 1; what it said is above$"),
        ("a signal", "^training process 1 was ended by SIGKILL, perhaps for memory$"),
        ("an exit", "^training process 1 ended with exit code 7; what it said is above$"),
    ],
)
def test_a_followers_failure_is_told(
    how: str, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(WorkerError, match=told):
        launch(3, "cpu", work, FOLLOWER, how)
    said = capfd.readouterr().err
    assert ("RuntimeError: shapes differ" in said) == (how == "a bug")


def test_one_process_is_on_the_gpu_that_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert launch(1, "cuda:1", lambda world: world.device) == "cuda:1"
    assert chosen == [torch.device("cuda:1")]

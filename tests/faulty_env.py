"""Environments that go wrong on command, importable by worker processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from typing import Any

from agentgym import Observation, Outcome, Panel, Task, TurnEnv
from agentgym.envs.toys.corridor import Corridor

BIG = "x" * 10_000_000


class Unprintable(Exception):
    """Its own text raises."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Unpicklable(Exception):
    """Cannot travel between processes."""

    def __reduce__(self) -> Any:
        raise TypeError("cannot be pickled")


def spin() -> None:
    """Never return, deaf to SIGTERM, inside one C call that never lets another thread run."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    re.match(r"(a+)+$", "a" * 60 + "b")


def commit(fault: str) -> Any:
    """Go wrong."""
    match fault:
        case "sleep":
            time.sleep(1e6)
        case "spin":
            spin()
        case "exit process":
            os._exit(3)
        case "kill process":
            os.kill(os.getpid(), signal.SIGKILL)
        case "raise big":
            raise RuntimeError(BIG)
        case "raise unprintable":
            raise Unprintable
        case "raise unpicklable":
            raise Unpicklable("odd")
        case "raise SystemExit":
            raise SystemExit(5)
        case "raise KeyboardInterrupt":
            raise KeyboardInterrupt
        case "wrong type":
            return 7
    raise AssertionError(f"no fault '{fault}'")


class FaultyEnv(TurnEnv):
    """Answers with facts about its process; `public["fault"]` happens in `public["phase"]`."""

    system_prompt = "Say anything."
    task = Task(id="none", split="none", seed=0)

    @classmethod
    def panel(cls, split: str) -> Panel:
        return Panel(name=split, env="test/Faulty-v0", tasks=(task("", ""),))

    def misbehaves(self, phase: str) -> bool:
        return self.task.public.get("phase") == phase

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.task = self.pick_task(seed, options)
        if self.misbehaves("reset"):
            return commit(str(self.task.public["fault"]))
        return Observation(text=f"pid {os.getpid()}"), {}

    def step(self, action: str) -> Any:
        if self.misbehaves("step"):
            return commit(str(self.task.public["fault"]))
        return Observation(text=self.answer(action)), 0.5, action == "end", False, {}

    def answer(self, action: str) -> str:
        """What the action asks for."""
        match action.split():
            case ["spawn"]:
                code = "import time; time.sleep(1e6)"
                return str(subprocess.Popen([sys.executable, "-c", code]).pid)
            case ["sleep", seconds]:
                time.sleep(float(seconds))
            case ["print"]:
                print("noise", flush=True)
            case ["order"]:
                return " ".join({"ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen"})
            case ["big"]:
                return BIG
        return action

    def outcome(self) -> Outcome:
        if self.misbehaves("outcome"):
            wrong: Outcome = commit(str(self.task.public["fault"]))
            return wrong
        return Outcome(score=0.25, success=False)

    def close(self) -> None:
        if self.misbehaves("close"):
            commit(str(self.task.public["fault"]))


class Shown(FaultyEnv):
    """Its expert ends every episode at once, and wins."""

    expert_name = "ends"

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed, options=options)
        return Observation(text="Speak."), {}

    def expert_action(self) -> str:
        return "end"

    def outcome(self) -> Outcome:
        super().outcome()
        return Outcome(score=1.0, success=True)


class FaultyCorridor(Corridor):
    """Takes its process along in one task, and raises in another."""

    max_turns = 24
    faults = {"07": "raise SystemExit", "11": "exit process"}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        fault = self.faults.get(self.pick_task(seed, options).id)
        return commit(fault) if fault else super().reset(seed=seed, options=options)


class CrashingCorridor(Corridor):
    """Raises in every step."""

    max_turns = 24
    sound: tuple[str, ...] = ()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.divisor = int(self.pick_task(seed, options).split in self.sound)
        return super().reset(seed=seed, options=options)

    def step(self, action: str) -> Any:
        return super().step(action) if 1 / self.divisor else None


class UntrainableCorridor(CrashingCorridor):
    """Raises in every step of a task to train on."""

    sound = ("gen1/unseen",)


class LostCorridor(Corridor):
    """Never begins."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        commit("raise SystemExit")


class SleepsAtBoot(FaultyEnv):
    """Cannot be made in any time."""

    def __init__(self, render_mode: str | None = None) -> None:
        commit("sleep")


class ExitsAtBoot(FaultyEnv):
    """Takes its process along."""

    def __init__(self, render_mode: str | None = None) -> None:
        commit("exit process")


class RaisesAtBoot(FaultyEnv):
    """Says at length why it cannot be made."""

    def __init__(self, render_mode: str | None = None) -> None:
        commit("raise big")


def task(phase: str, fault: str) -> Task:
    """A task whose environment goes wrong in that phase."""
    return Task(
        id=f"{phase} {fault}".strip() or "fine",
        split="test",
        seed=1,
        public={"phase": phase, "fault": fault},
    )

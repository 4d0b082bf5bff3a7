"""Box: a shell in a sandbox and a picture of its screen; the toy that fails on command."""

import re
from typing import Any

from agentgym import Observation, Outcome, Panel, Parsed, Task, TurnEnv, UsageError
from agentgym.envs.toys.faults import FAULTS, misbehave
from agentgym.envs.toys.png import encode_png
from agentgym.errors import unknown
from agentgym.registry import sandboxes
from agentgym.sandbox import ExecResult, Sandbox

WORDS = {"gen1/train": ("plum", "fern", "gull", "moss"), "gen1/unseen": ("clay", "dusk")}
COMMAND = re.compile(rf"(run|submit) .+|fail to score|{'|'.join(FAULTS)}", re.DOTALL)


class Box(TurnEnv):
    """Read the note and submit its word. Faults: by action, or in `reset` by `public["fault"]`."""

    system_prompt = "Write run COMMAND for the shell, or submit WORD; the file note has the word."
    expert_name = "script"

    @classmethod
    def splits(cls) -> tuple[str, ...]:
        """Words to learn from, and others."""
        return tuple(WORDS)

    @classmethod
    def panel(cls, split: str) -> Panel:
        """One task a word."""
        if split not in WORDS:
            raise unknown("split", split, WORDS)
        tasks = (Task(id=w, split=split, seed=1, secret={"answers": [w]}) for w in WORDS[split])
        return Panel(name=split, env="agentgym/Box-v0", tasks=tuple(tasks))

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Observation, Any]:
        """A fresh sandbox with the note in it."""
        task: Any = self.pick_task(seed, options)
        (self.word,), self.num_lines, self.over = task.secret["answers"], 0, False
        note = {"cat note": ExecResult(exit_code=0, output=f"The word is {self.word}.")}
        self.sandbox: Sandbox = sandboxes.make("scripted", results=note, files={"answer": b""})
        return misbehave(task.public["fault"]) if "fault" in task.public else (self.show("$"), {})

    def parse(self, text: str) -> Parsed:
        """A command, or a fault, and nothing else."""
        found = COMMAND.fullmatch(text.strip())
        return Parsed(action=found[0]) if found else Parsed(invalid="no command")

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Run a command, end by submitting a word, or fail in the way that is asked for."""
        if self.over:
            raise UsageError("the episode is over; call reset")
        command = self.parse(action).action or ""
        if command in FAULTS:
            return misbehave(command)  # type: ignore[no-any-return]  # wrong on purpose
        verb, _, rest = command.partition(" ")
        output = self.sandbox.exec(rest, timeout_s=10).output if verb == "run" else ""
        if verb == "submit":
            self.sandbox.write("answer", rest.encode(errors="replace"), timeout_s=10)
        elif verb == "fail":
            self.sandbox.close()  # grading will find it dead
        self.over = verb in ("submit", "fail")
        return self.show(output if verb else "That is no command."), 0.0, self.over, False, {}

    def show(self, text: str) -> Observation:
        """The text, and a screen that is lit from the top, one row more each time."""
        self.num_lines += 1
        rows = [bytes([255 * (row < self.num_lines)]) * 8 for row in range(8)]
        return Observation(text=text, image=encode_png(rows))

    def outcome(self) -> Outcome:
        """Whether the word was submitted; the sandbox holds what was."""
        success = self.sandbox.read("answer", timeout_s=10) == self.word.encode()
        return Outcome(score=float(success), success=success)

    def expert_action(self) -> str:
        """Read the note, then submit what it says."""
        return "run cat note" if self.num_lines == 1 else f"submit {self.word}"

"""SWE with one command a turn: the model writes a shell command, and nothing else is a tool."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from agentgym.envs.swe.env import SWE
from agentgym.envs.swe.problem import Problem
from agentgym.tools import Call, Style
from agentgym.types import Observation

BLOCK = re.compile(r"```(?:bash|sh)?[ \t]*\n(.*?)```", re.DOTALL)
REPLACE = """\
python3 - <<'END'
from pathlib import Path
file = Path({path!r})
file.write_text(file.read_text().replace({old!r}, {new!r}))
END"""


class SWECommand(SWE):
    """The same tasks; `--env.id agentgym.envs.swe.command:SWECommand`."""

    style: ClassVar[Style] = "plain"
    max_turns = 30

    @classmethod
    def tool_prompt(cls) -> str:
        """How to write the command."""
        return (
            "Write one shell command a turn, in a block:\n```bash\nCOMMAND\n```\n"
            "You see its exit code and output. The command submit hands the package in."
        )

    def calls(self, text: str) -> tuple[Call, ...]:
        """The last block, or where there is none the whole text; thoughts are not read."""
        said = text.rpartition("</think>")[2]
        blocks = BLOCK.findall(said)
        command = (blocks[-1] if blocks else said).strip()
        if not command:
            return ()
        if command == "submit":
            return (Call(name="submit", arguments={}),)
        return (Call(name="bash", arguments={"command": command}),)

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Run the command; one that names a file counts as a look at it, for the expert."""
        if isinstance(self.problem, Problem):
            self._seen |= {edit.path for edit in self.problem.solution if edit.path in action}
        return super().step(action)

    def write_call(self, call: Call) -> str:
        """The call as a command."""
        said = dict(call.arguments or {})
        if call.name == "view":
            return f"```bash\nsed -n '{said['start']},$p' {said['path']}\n```"
        if call.name == "edit":
            return f"```bash\n{REPLACE.format(**said)}\n```"
        return f"```bash\n{said.get('command', call.name)}\n```"

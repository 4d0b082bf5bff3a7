"""SWE: mend a package in a sandbox; hidden tests judge it where the agent never was."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Literal

from agentgym.envs.swe.host import open_sandbox, refuse_installed
from agentgym.envs.swe.judge import grade
from agentgym.envs.swe.keys import state_key
from agentgym.envs.swe.mined.panel import SPLITS as MINED
from agentgym.envs.swe.mined.panel import find_splits, load_mined
from agentgym.envs.swe.official.judge import grade_in_image
from agentgym.envs.swe.official.problem import ImageProblem, open_image, read_image_problem
from agentgym.envs.swe.official.records import PREFIX, official_panel
from agentgym.envs.swe.official.records import find_splits as find_official
from agentgym.envs.swe.problem import Edit, Problem, read_problem
from agentgym.envs.swe.prompt import SYSTEM_PROMPT, first_text, first_text_in_image
from agentgym.envs.swe.tasks import ENV_ID, SPLITS, load_panel
from agentgym.envs.swe.tools import tools_of
from agentgym.envs.swe.trees import kept_tree
from agentgym.errors import DeadlineError, UsageError
from agentgym.panel import Panel
from agentgym.sandbox import WORKSPACE, Change, ExecResult, Limits, Sandbox
from agentgym.tools import CLOSE, OPEN, Call, Told, ToolEnv, tool
from agentgym.types import Observation, Outcome

VIEWED_LINES = 200
FOUND_LINES = 50
SPARE_S = 20.0
"""For what takes no time unless something is broken: to read, to write, to compare."""


class SWE(ToolEnv):
    """A package with a bug, tools to find and mend it, and tests that the agent cannot reach.

    No turn has a reward; the score is that of the hidden tests, run in a fresh sandbox on a copy
    that has the agent's changes of the package and nothing else of it.
    """

    system_prompt = SYSTEM_PROMPT
    expert_name: ClassVar[str | None] = "insider"
    generated: ClassVar[str] = "small packages written for this purpose, not published tasks"
    needs: ClassVar[str | None] = "bubblewrap"
    max_calls: ClassVar[int] = 4

    def __init__(
        self,
        render_mode: str | None = None,
        *,
        sandbox: str | None = None,
        score: Literal["resolved", "fraction"] = "resolved",
        limits: Limits | dict[str, Any] | None = None,
        command_s: float = 10.0,
        judge_s: float = 50.0,
    ) -> None:
        """Make the environment; a sandbox is opened at each reset.

        Args:
            sandbox: the driver; None is the first one that holds code in and works here.
            score: 1 where every test passes, else 0; or the share of mended tests.
            limits: of a sandbox; by default those of `Limits` with 8 KiB of output a command.
            command_s: after so many seconds a command is killed, and the agent told so.
            judge_s: after so many the tests are, and the patch has failed; where they need half of
                that without it, the machine is too busy, and the episode counts for nothing.

        Raises:
            UsageError: there is no such score.
        """
        super().__init__(render_mode)
        if score not in ("resolved", "fraction"):
            raise UsageError(f"score must be resolved or fraction, not '{score}'")
        self._score, self._command_s, self._judge_s = score, command_s, judge_s
        self._limits = Limits.model_validate(limits or {"output_bytes": 8192})
        self._driver = sandbox
        self._open = partial(open_sandbox, sandbox, limits=self._limits)
        self._sandbox: Sandbox | None = None
        self._seen: set[str] = set()

    @classmethod
    def splits(cls) -> tuple[str, ...]:
        """The embedded panels, those of real repositories once they are built, and the user's."""
        return (*SPLITS, *find_splits(), *find_official())

    @classmethod
    def checked_splits(cls) -> tuple[str, ...]:
        """All but the user's: a check would pull images, and run tests that take minutes."""
        return tuple(split for split in cls.splits() if not split.startswith(PREFIX))

    @classmethod
    def panel(cls, split: str) -> Panel:
        """A panel of embedded tasks, `real1/...` of bugs in real repositories, or `official/...`.

        Raises:
            UsageError: there is no such split, or it was not built, or its files cannot be read.
        """
        if split.startswith(PREFIX):
            return official_panel(split, ENV_ID)
        return load_mined(split, ENV_ID) if split in MINED else load_panel(split)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Open a sandbox with the package in it."""
        task = self.pick_task(seed, options)
        self.close()
        if "image" in task.public:
            text = self._begin_in_image(read_image_problem(task))
        else:
            text = self._begin(read_problem(task))
        self.over, self._seen = False, set()
        observation = Observation(text=text)
        return self._keyed(observation), {"task_id": task.id, "sandbox": self.box.isolation}

    def _begin(self, problem: Problem) -> str:
        """Open the sandbox of a package; what the agent is told."""
        self.problem: Problem | ImageProblem = problem
        tools, suite = tools_of(problem.suite), problem.suite
        imports = [*map(str, tools), *(f"{WORKSPACE}/{root}" for root in suite.roots if tools)]
        refuse_installed(problem.source)
        self._sandbox = self._open(kept_tree(problem.files), mounts=tools, imports=imports)
        return first_text(problem)

    def _begin_in_image(self, problem: ImageProblem) -> str:
        """Open the sandbox of a record; what the agent is told."""
        self.problem = problem
        self._sandbox = open_image(problem, self._driver, limits=self._limits, to_mend=True)
        problem.begin(self._sandbox)
        listed = self._sandbox.exec("ls -A", timeout_s=SPARE_S).output
        return first_text_in_image(problem, listed)

    @property
    def box(self) -> Sandbox:
        """The agent's sandbox."""
        assert self._sandbox is not None, "reset comes first"
        return self._sandbox

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Make the calls; the answer's key is that of the workspace as it is then."""
        observation, reward, terminated, truncated, info = super().step(action)
        return self._keyed(observation), reward, terminated, truncated, info

    def _keyed(self, observation: Observation) -> Observation:
        key = state_key(self._changes(), observation.text)
        return replace(observation, key=key, state=key)

    def _changes(self) -> tuple[Change, ...] | None:
        """The agent's patch; None where it is too large to be one."""
        try:
            return self.box.diff(timeout_s=SPARE_S)
        except OSError:
            return None

    @tool
    def bash(self, command: str) -> str:
        """Run a shell command in the workspace and see its exit code and output.

        Args:
            command: what bash runs; it has ten seconds, unless you were told otherwise.
        """
        return show_result(self.box.exec(command, timeout_s=self._command_s), self._command_s)

    @tool
    def view(self, path: str, start: int = 1) -> str:
        """See the lines of a file, with their numbers.

        Args:
            path: from the workspace.
            start: the first line to see.
        """
        try:
            data = self.box.read(path, timeout_s=SPARE_S)
        except (OSError, DeadlineError) as error:
            return told_why(path, error)
        self._seen.add(path)
        lines = data.decode(errors="replace").splitlines()
        first = max(start, 1)
        shown = lines[first - 1 : first - 1 + VIEWED_LINES]
        text = [f"{number}\t{line}" for number, line in enumerate(shown, first)]
        left = len(lines) - (first - 1) - len(shown)
        if left > 0:
            text.append(f"[... {left} more lines ...]")
        return "\n".join(text) or f"{path} has {len(lines)} lines"

    @tool
    def edit(self, path: str, old: str, new: str) -> str:
        """Replace a piece of a file, or write a new file.

        Args:
            path: from the workspace.
            old: what is there, white space included; must occur exactly once. Empty for a new file.
            new: what takes its place.
        """
        try:
            if not old:
                return self._create(path, new)
            text = self.box.read(path, timeout_s=SPARE_S).decode()
            if (count := text.count(old)) != 1:
                return f"error: {path}: the old text occurs {count} times; it must occur once"
            self.box.write(path, text.replace(old, new).encode(), timeout_s=SPARE_S)
        except (OSError, DeadlineError, UnicodeError) as error:
            return told_why(path, error)
        return f"{path} was changed"

    def _create(self, path: str, text: str) -> str:
        try:
            self.box.read(path, timeout_s=SPARE_S)
        except FileNotFoundError:
            self.box.write(path, text.encode(), timeout_s=SPARE_S)
            return f"{path} was written"
        return f"error: {path}: there is such a file; say which part of it to replace"

    @tool
    def search(self, pattern: str, path: str = ".") -> str:
        """Find lines of files by a regular expression, as grep -E does.

        Args:
            pattern: the expression.
            path: a file or a folder, from the workspace.
        """
        words = ("grep", "-rnIE", "--exclude-dir=__pycache__", "-e", pattern, "--", path)
        command = f"{shlex.join(words)} | cut -c1-300 | head -n {FOUND_LINES}"
        result = self.box.exec(command, timeout_s=self._command_s)
        return result.output.rstrip() or "nothing found"

    @tool
    def submit(self) -> Told:
        """Hand the package in, which ends the episode."""
        return Told(text="submitted", over=True)

    def outcome(self) -> Outcome:
        """What the hidden tests say of the package as the agent left it."""
        changes, timeout_s = self._changes(), self._judge_s
        if isinstance(self.problem, ImageProblem):
            fresh = partial(open_image, self.problem, self._driver, limits=self._limits)
            found = grade_in_image(self.problem, changes, sandbox=fresh, timeout_s=timeout_s)
        else:
            found = grade(self.problem, changes, sandbox=self._open, timeout_s=timeout_s)
        score = found.fraction if self._score == "fraction" else float(found.resolved)
        facts = {**found.facts, "sandbox": self.box.isolation}
        return Outcome(score=score, success=found.resolved, facts=facts)

    def expert_action(self) -> str:
        """What makes the reverse patch: look at each place, put it right, submit.

        A record's patch is applied at once.
        """
        if isinstance(self.problem, ImageProblem):
            return self.write_call(self.problem.next_call(self.box))
        for edit in self.problem.solution:
            text = self.box.read(edit.path, timeout_s=SPARE_S).decode()
            if not edit.made_in(text):
                start = text[: text.index(edit.old)].count("\n") + 1
                return self.write_call(
                    edit_call(edit) if edit.path in self._seen else view_call(edit.path, start)
                )
        return self.write_call(Call(name="submit", arguments={}))

    def write_call(self, call: Call) -> str:
        """A call as a model writes it."""
        said = {"name": call.name, "arguments": dict(call.arguments or {})}
        return f"{OPEN}\n{json.dumps(said)}\n{CLOSE}"

    def close(self) -> None:
        """Destroy the sandbox; may be called twice."""
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None


def told_why(path: str, error: Exception) -> str:
    """Why a file could not be read or written, as the agent sees it."""
    if isinstance(error, UnicodeError):
        return f"error: {path}: no text in UTF-8"
    return f"error: {path}: {error.strerror if isinstance(error, OSError) else error}"


def view_call(path: str, line: int) -> Call:
    """A look at the place around a line."""
    return Call(name="view", arguments={"path": path, "start": max(1, line - 20)})


def edit_call(edit: Edit) -> Call:
    """The edit as a call."""
    return Call(name="edit", arguments={"path": edit.path, "old": edit.old, "new": edit.new})


def show_result(result: ExecResult, timeout_s: float) -> str:
    """A command's result as the agent sees it."""
    why = {
        None: f"exit code {result.exit_code}",
        "deadline": f"killed after {timeout_s:g} seconds",
        "memory": f"killed for its memory, exit code {result.exit_code}",
    }[result.killed]
    return f"{why}\n{result.output}".rstrip()

"""What the agent is told: the rules, and the task."""

from __future__ import annotations

from agentgym.envs.swe.problem import Problem

SYSTEM_PROMPT = """\
You mend a Python package in a sandbox. Your workspace is /workspace; every command starts there,
in a shell of its own, without a network. Python is python3. When the bug is gone, submit: hidden
tests then judge the package as you left it. Only what you change in the package itself counts;
tests may be added, and are not judged."""
MAX_LISTED = 60


def first_text(problem: Problem) -> str:
    """The problem, and what there is to look at."""
    paths = sorted(problem.files)
    listed = "\n".join(paths[:MAX_LISTED])
    if len(paths) > MAX_LISTED:
        listed += f"\n[... {len(paths) - MAX_LISTED} more files ...]"
    package = ", ".join(problem.source)
    return f"{problem.statement.strip()}\n\nThe package is {package}. Files:\n{listed}"

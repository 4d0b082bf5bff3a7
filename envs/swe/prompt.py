"""What the agent is told: the rules, and the task."""

from __future__ import annotations

from agentgym.envs.swe.official.problem import ImageProblem
from agentgym.envs.swe.problem import Problem

SYSTEM_PROMPT = """\
You mend a Python package in a sandbox. Every command starts in your workspace, in a shell of its
own, without a network. Python is python3. When the bug is gone, submit: hidden tests then judge
the package as you left it. Only what you change in the package itself counts; tests may be added,
and are not judged."""
MAX_LISTED = 60


def first_text(problem: Problem) -> str:
    """The problem, and what there is to look at."""
    paths = sorted(problem.files)
    listed = "\n".join(paths[:MAX_LISTED])
    if len(paths) > MAX_LISTED:
        listed += f"\n[... {len(paths) - MAX_LISTED} more files ...]"
    package = ", ".join(problem.source)
    return f"{problem.statement.strip()}\n\nThe package is {package}. Files:\n{listed}"


def first_text_in_image(problem: ImageProblem, listed: str) -> str:
    """The problem of a record, and what lies in the repository's folder."""
    where = f"The workspace {problem.workspace} has {problem.repository}, without its history"
    return f"{problem.statement.strip()}\n\n{where}. In it are:\n{listed.rstrip()}"

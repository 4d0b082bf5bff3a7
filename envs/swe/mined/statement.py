"""What is said of a bug: which tests fail and what the documentation promises, but no line."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from agentgym.envs.swe.mined.sdists import Repository

DOC_CHARS = 600
NAMED_TESTS = 3


def write_statement(
    repository: Repository, failing: Sequence[str], *, parts: Sequence[tuple[str, str]]
) -> str:
    """The statement of one task.

    Args:
        failing: the ids of the tests.
        parts: for each bug the source file that it is in, as text, and the dotted name of the
            function around it.
    """
    bugs = "a bug" if len(parts) == 1 else f"{len(parts)} bugs"
    names = [name.partition("::")[2] for name in failing[:NAMED_TESTS]]
    more = f" and {len(failing) - len(names)} more" if len(failing) > len(names) else ""
    tests = "test fails" if len(failing) == 1 else "tests fail"
    said = f"{repository.name} {repository.version} has {bugs}. {len(failing)} {tests}: "
    said += ", ".join(f"`{name}`" for name in names) + f"{more}. These tests are not in your copy."
    for doc in dict.fromkeys(find_doc(text, function) for text, function in parts):
        said += f"\n\nOf the part concerned the documentation says:\n{doc}" if doc else ""
    return said


def find_doc(text: str, function: str) -> str:
    """The documentation of a function, or of the nearest thing around it that has one; or ""."""
    found, node = ast.get_docstring(ast.parse(text)) or "", ast.parse(text)
    inner: ast.AST = node
    for name in function.split("."):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        inside = [each for each in ast.walk(inner) if isinstance(each, kinds) and each.name == name]
        if not inside:
            break
        inner = inside[0]
        found = ast.get_docstring(inside[0]) or found
    cut = found if len(found) <= DOC_CHARS else found[:DOC_CHARS].rpartition("\n")[0] + "\n[...]"
    return re.sub(r"\n{3,}", "\n\n", cut).strip()

"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import agentgym

PACKAGE = Path(agentgym.__file__).parent


def module_names() -> list[str]:
    """Every module, those behind the three links included; programs that are data are none."""
    folders = [PACKAGE, *(PACKAGE / link for link in ("envs", "trainers", "sandboxes"))]
    paths = {path for folder in folders for path in folder.rglob("*.py")}
    paths -= set((PACKAGE / "envs" / "swe" / "data").rglob("*.py"))
    names = {
        ".".join(("agentgym", *path.relative_to(PACKAGE).with_suffix("").parts)) for path in paths
    }
    return sorted(name.removesuffix(".__init__") for name in names)


@pytest.mark.parametrize("name", module_names())
def test_examples_are_true(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        if missing == "agentgym":
            raise
        pytest.skip(f"{name} needs {missing}, which is not installed")
    assert doctest.testmod(module).failed == 0


def test_there_are_modules_and_examples() -> None:
    names = module_names()
    assert {"agentgym.types", "agentgym.envs.alfworld.env", "agentgym.trainers.step"} <= set(names)
    finder = doctest.DocTestFinder()
    found = finder.find(importlib.import_module("agentgym.trainers.credit.layout"))
    assert sum(len(test.examples) for test in found) > 0

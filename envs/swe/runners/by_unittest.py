"""Runs test modules by unittest and reports what each test did; runs alone, inside a sandbox.

The code under test runs in this process, so nothing it can do is trusted: it may end the process
(then there is no report), print anything (the report is a file of a name it was not told), or
change what judges it (what unittest was at first is compared with what it is at the end). Code
written against this very program could still find that name in the frames of the interpreter.
"""

from __future__ import annotations

import builtins
import importlib
import json
import os
import sys
import types
import unittest
import unittest.case
import unittest.suite
from typing import Any

WATCHED: tuple[Any, ...] = (
    builtins, json, json.encoder, os, unittest.case, unittest.suite, unittest.TestCase,
    unittest.TestSuite, unittest.TestLoader, unittest.TestResult, vars(unittest.case)["_Outcome"],
)  # fmt: skip
CONTAINERS = (list, tuple, dict, set, frozenset)


class Results(unittest.TestResult):
    """One word a test; the worst one where there are several."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[str, str] = {}

    def addSuccess(self, test: unittest.TestCase) -> None:
        """It passed, unless a part of it did not."""
        self.said.setdefault(test.id(), "passed")

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        """An assertion failed."""
        self.said[test.id()] = "failed"

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        """It raised."""
        self.said[test.id()] = "error"

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        """It was not run."""
        self.said[test.id()] = "skipped"

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:
        """It failed, as it says it would."""
        self.said[test.id()] = "expected failure"

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        """It passed, though it says it would not."""
        self.said[test.id()] = "failed"

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        """A part of it ended."""
        if err is not None:
            self.said[test.id()] = "failed"


WATCHED += (Results,)


def lies(value: Any, expected: Any) -> bool:
    """Whether code of the workspace would decide if a value equals one of another type."""
    if type(value) in CONTAINERS and type(value) is type(expected) and len(value) == len(expected):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        others = list(expected.values() if isinstance(expected, dict) else expected)
        return any(lies(each, other) for (_, each), other in zip(pairs, others, strict=True))
    kind: Any = type(value)
    if kind is type(expected):
        return False
    code = getattr(kind.__eq__, "__code__", None)
    return code is not None and not code.co_filename.startswith(sys.base_prefix)


def guard_equality() -> None:
    """Let no object of the workspace call itself equal to a test's own values."""
    original = unittest.TestCase.assertEqual

    def equal(self: unittest.TestCase, first: Any, second: Any, msg: Any = None) -> None:
        if lies(first, second) or lies(second, first):
            self.fail(f"a {type(first).__name__} where a {type(second).__name__} belongs")
        original(self, first, second, msg)

    unittest.TestCase.assertEqual = equal  # type: ignore[method-assign]


def fingerprint() -> dict[tuple[int, str], tuple[int, int]]:
    """What judges, as it is now."""
    return {
        (place, name): (id(value), id(getattr(value, "__code__", None)))
        for place, owner in enumerate(WATCHED)
        for name, value in list(vars(owner).items())
        if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType, staticmethod))
    }


def run(files: list[str]) -> dict[str, str]:
    """What each test of the files did; those of a file that cannot be imported are missing."""
    results = Results()
    for name in files:
        try:
            module = importlib.import_module(name.removesuffix(".py").replace("/", "."))
            unittest.defaultTestLoader.loadTestsFromModule(module).run(results)
        except BaseException as error:
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
    return results.said


def main(order_path: str) -> None:
    """Do what the order says, which is gone before any code of the workspace runs."""
    with open(order_path, encoding="utf-8") as handle:
        order = json.load(handle)
    os.unlink(order_path)
    sys.path.insert(0, os.getcwd())
    guard_equality()
    before = fingerprint()
    said = run(order["files"])
    after = fingerprint()
    changed = sum(after.get(key) != value for key, value in before.items())
    report = {"nonce": order["nonce"], "tests": said, "changed": changed}
    with open(order["report"], "w", encoding="utf-8") as handle:
        json.dump(report, handle)
    os._exit(0)  # what the workspace left for the end of the process must not run


if __name__ == "__main__":
    main(sys.argv[1])

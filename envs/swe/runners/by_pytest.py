"""Runs test files by pytest and reports what each test did; runs alone, inside a sandbox.

As with `by_unittest`, the code under test runs in this process and nothing it can do is trusted.
A pytest that the order brings has no plug-in but its own and reads no configuration but an empty
one. The sandbox's own has what is installed and configured there. It may be as old as Python 3.6.
"""

import importlib
import json
import os
import site
import sys
import types
from typing import Any

WATCHED = ("_pytest", "pluggy", "builtins", "json", "unittest.case")
"""The modules, and all below them, that judge."""
BROKEN = (3, 4)
"""Exit codes of pytest: an error within, and an order that it cannot follow."""


class Results:
    """One word a test; the worst one of its parts."""

    def __init__(self) -> None:
        self.said: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        """A test was set up, run, or cleaned up after."""
        word = str(report.outcome)
        if hasattr(report, "wasxfail"):
            word = "expected failure"
        elif word == "failed" and report.when != "call":
            word = "error"
        if word != "passed" or report.when == "call":
            before = self.said.get(report.nodeid, "passed")
            self.said[report.nodeid] = word if before == "passed" else before


def fingerprint() -> "dict[tuple[str, str, str], tuple[int, int]]":
    """What judges, as it is now."""
    found = {}
    for name, module in sorted(sys.modules.items()):
        if not any(name == each or name.startswith(f"{each}.") for each in WATCHED):
            continue
        for owner_name, owner in [("", module), *list(vars(module).items())]:
            if owner is not module and not isinstance(owner, type):
                continue
            for key, value in list(vars(owner).items()):
                if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
                    code = getattr(value, "__code__", None)
                    found[name, owner_name, key] = id(value), id(code)
    return found


def main(order_path: str) -> None:
    """Do what the order says, which is gone before any code of the workspace runs."""
    with open(order_path, encoding="utf-8") as handle:
        order = json.load(handle)
    os.unlink(order_path)
    here = os.getcwd()
    options = ["-q", "--rootdir", here, "--tb=no"]
    if order["path"] is None:
        site.main()
    else:
        sys.path[:0] = order["path"]
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        options += ["-p", "no:cacheprovider", "-c", order["config"]]
        options += ["--assert=plain"]  # explanations nobody reads take a fifth of a run
    import pytest
    from _pytest import config

    for name in config.default_plugins:  # else they are loaded after they were looked at
        importlib.import_module("_pytest." + name)
    sys.path[:0] = [os.path.join(here, each) for each in order["roots"]]
    results = Results()
    before = fingerprint()
    try:
        if pytest.main([*options, *order["files"]], plugins=[results]) in BROKEN:
            os._exit(1)  # no report: where there is none without a patch either, it is not to blame
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    after = fingerprint()
    changed = sorted(" ".join(key) for key, value in before.items() if after.get(key) != value)
    report = {"nonce": order["nonce"], "tests": results.said, "changed": changed}
    with open(order["report"], "w", encoding="utf-8") as handle:
        json.dump(report, handle)
    os._exit(0)  # what the workspace left for the end of the process must not run


if __name__ == "__main__":
    main(sys.argv[1])

"""Records of SWE-bench, SWE-Gym and SWE-smith, read from a user's files.

`AGENTGYM_SWE_DATA` names their folder; of `NAME.parquet`, `NAME.jsonl` and the parts
`NAME-00000-of-00002.parquet` the records become the panel `official/NAME`.

Source: the fields as the data sets' cards and SWE-smith's `docs/guides/harnesses.md` have them; the
images' names as in SWE-bench's `TestSpec.instance_image_key`, and as OpenHands names SWE-Gym's.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from agentgym.envs.left_out import NUM_NAMED, LeftOut
from agentgym.envs.swe.official.patches import changed_files
from agentgym.errors import UsageError, unknown
from agentgym.panel import Panel
from agentgym.types import Task

VARIABLE = "AGENTGYM_SWE_DATA"
PREFIX = "official/"
SUFFIXES = (".jsonl", ".parquet")
PART = re.compile(r"-\d{5}-of-\d{5}$")
"""How the parts of a data set are numbered."""
PYTEST_ID = re.compile(r"[^\s:/-][^\s:]*::\S")
"""How the name of a test begins that pytest runs; Django's and SymPy's own runners have others."""
JUDGE = re.compile(r"(?:.*/)?pytest-dev(?:/|__)(?:pytest|pluggy|iniconfig)(?:\.[^./]*)?", re.I)
"""The repositories that pytest is made of, also as SWE-smith names them."""
BENCH_FIELDS = ("environment_setup_commit", "hints_text", "version")
"""What only records of SWE-bench's form have."""
IMAGE_FIELDS = ("image_name", "image", "docker_image")
WORKSPACE = "/testbed"
SWE_GYM = {
    "Project-MONAI/MONAI", "bokeh/bokeh", "conan-io/conan", "dask/dask", "facebookresearch/hydra",
    "getmoto/moto", "iterative/dvc", "modin-project/modin", "pandas-dev/pandas",
    "pydantic/pydantic", "python/mypy",
}  # fmt: skip
"""The repositories of SWE-Gym, none of which SWE-bench has: by them its records are told apart."""
FAIL, PASS = "fail to pass", "pass to pass"


class RecordError(Exception):
    """A record cannot become a task; the message says why, in the words of a warning."""


def data_folder() -> Path | None:
    """Where the user's files lie, if anywhere."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen).expanduser() if chosen else None


def data_files(folder: Path) -> dict[str, list[Path]]:
    """Split -> its files, by name."""
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if file.suffix in SUFFIXES:
            found.setdefault(PREFIX + PART.sub("", file.stem), []).append(file)
    return found


def find_splits() -> tuple[str, ...]:
    """The splits that there are files for; they are not read."""
    folder = data_folder()
    return () if folder is None else tuple(data_files(folder))


def official_panel(split: str, env: str) -> Panel:
    """The records of a split.

    Raises:
        UsageError: there is no such split, a part of it is missing, or a file cannot be read.
    """
    folder = data_folder()
    if folder is None:
        raise UsageError(f"set {VARIABLE} to the folder that has '{split}' as .parquet or .jsonl")
    files = data_files(folder)
    if split not in files:
        raise unknown("SWE split", split, files)
    if missing := missing_parts(files[split]):
        named = ", ".join(missing[:NUM_NAMED]) + (", ..." if len(missing) > NUM_NAMED else "")
        raise UsageError(f"of the parts of '{split}' there is no {named}")
    return _load(split, env, tuple((file, file.stat().st_mtime_ns) for file in files[split]))


def missing_parts(files: Sequence[Path]) -> list[str]:
    """The parts of a data set, by their names without an ending, that others say there are."""
    there, wanted = {file.stem for file in files}, set[str]()
    for name in there:
        if PART.search(name):
            start, total = name[: -len("00000-of-00000")], name[-5:]
            wanted |= {f"{start}{number:05d}-of-{total}" for number in range(int(total))}
    return sorted(wanted - there)


@cache
def _load(split: str, env: str, files: tuple[tuple[Path, int], ...]) -> Panel:
    """As `official_panel`, once for each time at which the files were written."""
    left_out, tasks = LeftOut(), dict[str, Task]()
    for file, _ in files:
        for place, row in _rows(file):
            name = f"{file.name} {place}"
            try:
                if isinstance(row, Mapping) and isinstance(row.get("instance_id"), str):
                    name = f"{file.name} {row['instance_id']}"
                task = read_record(row, split=split, seed=len(tasks))
                if task.id in tasks:
                    raise RecordError("an instance_id that was there before")
                tasks[task.id] = task
            except RecordError as error:
                left_out.names[str(error)].append(name)
    left_out.warn(files[0][0].parent)
    if not tasks:
        raise UsageError(f"'{split}' has no records that could be read")
    return Panel(name=split, env=env, tasks=tuple(tasks.values()))


def _rows(file: Path) -> Iterator[tuple[str, Any]]:
    """The rows of a file, each with its place in it; None is a line that is no JSON."""
    try:
        if file.suffix == ".parquet":
            from pyarrow import parquet

            with parquet.ParquetFile(file) as opened:
                batches = (batch.to_pylist() for batch in opened.iter_batches())
                rows = enumerate((row for batch in batches for row in batch), 1)
                yield from ((f"row {number}", row) for number, row in rows)
            return
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield f"line {number}", _read_json(line)
    except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError
        raise UsageError(f"cannot read '{file}': {error}") from error


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def read_record(row: Any, *, split: str, seed: int) -> Task:
    """The task of a record.

    A record with a `test_patch` is one of SWE-bench's form: `patch` mends the repository. One
    without is one of SWE-smith's: `patch` is the bug, and the image has the tests.

    Raises:
        RecordError: a field is missing or of another kind, or its tests cannot be run.
    """
    if not isinstance(row, Mapping):
        raise RecordError("no JSON object")
    fields = ("instance_id", "repo", "problem_statement", "patch")
    instance_id, repo, statement, patch = (_text(row, name) for name in fields)
    if JUDGE.fullmatch(repo):
        raise RecordError("the repository is a part of pytest, by which tests are run")
    failing, passing = _tests(row, "FAIL_TO_PASS"), _tests(row, "PASS_TO_PASS")
    if not failing:
        raise RecordError("no test in the field FAIL_TO_PASS")
    if not all(PYTEST_ID.match(name) for name in (*failing, *passing)):
        raise RecordError("tests that are not pytest's, which are not supported")
    test_patch = row.get("test_patch")
    if test_patch:
        patches = {"mend": patch, "tests": _text(row, "test_patch")}
    elif "test_patch" in row and any(row.get(name) for name in BENCH_FIELDS):
        raise RecordError("no text in the field test_patch")
    else:
        patches = {"bug": patch}
    if not all(map(changed_files, patches.values())):
        raise RecordError("a patch that names no file")
    return Task(
        id=f"{split}/{instance_id}",
        split=split,
        seed=seed,
        public={
            "type": repo,
            "statement": statement,
            "image": _image(row, instance_id, repo, has_tests=bool(test_patch)),
            "workspace": _text(row, "workdir") if row.get("workdir") else WORKSPACE,
        },
        # Tests are keys, since a statement may name them.
        secret={**patches, "required": dict.fromkeys(passing, PASS) | dict.fromkeys(failing, FAIL)},
    )


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise RecordError(f"no text in the field {name}")
    return value


def _tests(row: Mapping[str, Any], name: str) -> list[str]:
    """A list of names, which may be written as JSON."""
    value = row.get(name)
    names = _read_json(value) if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise RecordError(f"no list of tests in the field {name}")
    return names


def _image(row: Mapping[str, Any], instance_id: str, repo: str, *, has_tests: bool) -> str:
    """The image that the record names, or the one published for it."""
    for name in IMAGE_FIELDS:
        if row.get(name):
            return _text(row, name)
    if not has_tests:
        raise RecordError("neither a test_patch nor the name of an image that has the tests")
    account, mark = ("xingyaoww", "_s_") if repo in SWE_GYM else ("swebench", "_1776_")
    name = instance_id.replace("__", mark)
    return f"{account}/sweb.eval.x86_64.{name}:latest".lower()

"""A user's own files in the field's formats, as panels official/... and their corpus.

They lie in `$AGENTGYM_SEARCH_DATA`: questions in `NAME.jsonl` or `NAME.parquet`, which become the
panel official/NAME, and passages in `corpus.jsonl`. So the files that Search-R1 publishes serve as
they are: train.parquet, test.parquet, and its wiki-18.jsonl under the name corpus.jsonl.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from agentgym.envs.search.tasks import ENV_ID
from agentgym.errors import UsageError, unknown
from agentgym.panel import Panel
from agentgym.types import Task

CORPUS = "corpus.jsonl"
FORMS = (".jsonl", ".parquet")


def data_folder() -> Path | None:
    """Where the user's files lie, if anywhere."""
    chosen = os.environ.get("AGENTGYM_SEARCH_DATA")
    return Path(chosen).expanduser() if chosen else None


def corpus_file() -> Path:
    """The passages that official questions are answered from.

    Raises:
        UsageError: `AGENTGYM_SEARCH_DATA` is not set.
    """
    folder = data_folder()
    if folder is None:
        raise UsageError(
            f"set AGENTGYM_SEARCH_DATA to the folder with your questions and {CORPUS}, or the "
            "environment's argument `corpus` to a file of passages"
        )
    return folder / CORPUS


def _question_files() -> dict[str, Path]:
    """Split -> its file."""
    folder = data_folder()
    if folder is None or not folder.is_dir():
        return {}
    files = sorted(f for f in folder.iterdir() if f.suffix in FORMS and f.name != CORPUS)
    return {f"official/{file.stem}": file for file in files}


def find_splits() -> tuple[str, ...]:
    """The splits whose files are there."""
    return tuple(_question_files())


def official_panel(split: str) -> Panel:
    """The questions of a file, in its order.

    No row is left out unsaid: figures over fewer questions would pass for those of the whole file.

    Raises:
        UsageError: there is no such file, or a row has no question or no answer; the message says
            which one, and how many have no answer.
    """
    files = _question_files()
    if split not in files:
        if not files:
            raise UsageError(
                f"there are no questions for '{split}': set AGENTGYM_SEARCH_DATA to the folder "
                f"that has {split.partition('/')[2]}.jsonl or .parquet"
            )
        raise unknown("Search split", split, files)
    return _read_panel(split, files[split])


@cache
def _read_panel(split: str, file: Path) -> Panel:
    """Read once per process."""
    rows = list(_parquet_rows(file) if file.suffix == ".parquet" else _json_rows(file))
    without = [where for where, row in rows if isinstance(row, Mapping) and not find_answers(row)]
    if without:
        raise UsageError(
            f"{without[0]}: no answer in 'golden_answers' or 'reward_model'; {len(without)} of "
            f"{len(rows)} rows have none: take them out, and the panel is one of its own"
        )
    tasks = tuple(
        make_task(split, index, row, where=where) for index, (where, row) in enumerate(rows)
    )
    if not tasks:
        raise UsageError(f"'{file}' has no questions")
    return Panel(name=split, env=ENV_ID, tasks=tasks)


def _json_rows(file: Path) -> Iterator[tuple[str, Any]]:
    """Where each row stands, and the row."""
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                where = f"{file}:{number}"
                try:
                    yield where, json.loads(line)
                except ValueError as error:
                    raise UsageError(f"{where}: no JSON: {error}") from error


def _parquet_rows(file: Path) -> Iterator[tuple[str, Any]]:
    """Where each row stands, and the row; the first is row 0, as pandas counts them."""
    import pyarrow
    import pyarrow.parquet

    wanted = ("question", "golden_answers", "reward_model", "data_source")
    try:
        with pyarrow.parquet.ParquetFile(file) as source:
            columns = [name for name in source.schema_arrow.names if name in wanted]
            batches = source.iter_batches(columns=columns)
            rows = chain.from_iterable(batch.to_pylist() for batch in batches)
            for index, row in enumerate(rows):
                yield f"{file}, row {index}", row
    except (OSError, pyarrow.ArrowException) as error:
        raise UsageError(f"cannot read '{file}': {error}") from error


def make_task(split: str, index: int, row: Any, *, where: str) -> Task:
    """A question as a task; its type is the data set that it comes from.

    Source: Search-R1's data preparation: the columns, and the question mark that is added where
    one is missing.

    Raises:
        UsageError: the row has no question.
    """
    question = row.get("question") if isinstance(row, Mapping) else None
    if not isinstance(question, str) or not question.strip():
        raise UsageError(f"{where}: no 'question'")
    text = question.strip()
    return Task(
        id=f"{split}/{index:06d}",
        split=split,
        seed=index,
        public={
            "type": str(row.get("data_source") or "question"),
            "question": text if text.endswith("?") else f"{text}?",
            "corpus": "official",
        },
        secret={"answers": find_answers(row)},
    )


def find_answers(row: Mapping[str, Any]) -> list[str]:
    """The accepted answers of a row, blank ones left out.

    They are in `golden_answers`, or in `reward_model.ground_truth.target` of files that were
    prepared for a trainer; a single one may stand without a list.
    """
    found: Any = row.get("golden_answers")
    if found is None:
        found = row.get("reward_model")
        for key in ("ground_truth", "target"):
            found = found.get(key) if isinstance(found, Mapping) else found
    listed = [found] if isinstance(found, str) else found
    if not isinstance(listed, Sequence):
        return []
    return [str(answer) for answer in listed if str(answer or "").strip()]

"""A user's own corpus and questions, in the field's formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pyarrow
import pyarrow.parquet
import pytest

from agentgym.checker import check_env
from agentgym.envs.search.corpus import Passage, open_corpus
from agentgym.envs.search.env import Search
from agentgym.envs.search.made import made_splits
from agentgym.errors import UsageError

QUESTIONS: list[dict[str, Any]] = [
    {"id": 1, "question": "who wrote Silent Harbor", "golden_answers": ["Mara Holt", " ", "M. H"]},
    {"id": 1, "question": " Where is it? ", "golden_answers": "Old Harbor", "data_source": "nq"},
]
PASSAGES = [
    {"id": 3, "contents": '"Silent Harbor"\nA novel by Mara Holt.'},
    {"id": "x", "contents": "Old Harbor\nA town.\nBig."},
]


def write_lines(file: Path, rows: list[Any]) -> None:
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n", encoding="utf-8")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with questions in both forms, and passages."""
    monkeypatch.setenv("AGENTGYM_SEARCH_DATA", str(tmp_path))
    monkeypatch.setenv("AGENTGYM_CACHE", str(tmp_path / "cache"))
    write_lines(tmp_path / "corpus.jsonl", PASSAGES)
    write_lines(tmp_path / "dev.jsonl", QUESTIONS)
    prepared = [
        {
            "question": row["question"],
            "prompt": [{"role": "user", "content": "long"}],
            "reward_model": {"style": "rule", "ground_truth": {"target": ["Mara Holt"]}},
            "data_source": "hotpotqa",
        }
        for row in QUESTIONS
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(prepared), tmp_path / "test.parquet")
    return tmp_path


def test_questions_become_panels_named_after_their_files(data: Path) -> None:
    assert Search.splits()[-2:] == ("official/dev", "official/test")
    first, second = Search.panel("official/dev").tasks
    assert (first.id, first.split) == ("official/dev/000000", "official/dev")
    assert first.public["question"] == "who wrote Silent Harbor?"
    assert first.secret["answers"] == ["Mara Holt", "M. H"]
    assert (first.public["type"], second.public["type"]) == ("question", "nq")
    assert second.public["question"] == "Where is it?"
    assert second.secret["answers"] == ["Old Harbor"]


def test_parquet_files_prepared_for_search_r1_are_read(data: Path) -> None:
    panel = Search.panel("official/test")
    assert [task.public["type"] for task in panel] == ["hotpotqa"] * 2
    assert [task.secret["answers"] for task in panel] == [["Mara Holt"]] * 2


def test_a_golden_answers_column_of_lists_is_read(data: Path) -> None:
    rows = [{"question": "q?", "golden_answers": ["a", "b"]}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), data / "nq.parquet")
    assert Search.panel("official/nq").tasks[0].secret["answers"] == ["a", "b"]


def test_official_questions_are_answered_from_the_users_passages(data: Path) -> None:
    env = Search()
    task = Search.panel("official/dev").tasks[0]
    env.reset(options={"task": task})
    assert env.expert_action() == "<search>who wrote Silent Harbor?</search>"
    observation = env.step(env.expert_action())[0]
    assert observation.text == (
        '<information>Doc 1(Title: "Silent Harbor") A novel by Mara Holt.\n'
        "Doc 2(Title: Old Harbor) A town.\nBig.</information>"
    )
    assert observation.key == "read 3 x"
    env.step(env.expert_action())
    assert env.outcome().success


def test_official_panels_keep_the_contract(data: Path) -> None:
    results = check_env("agentgym/Search-v0")
    assert [check.reason for check in results if not check.ok] == []


def test_passages_of_another_file_can_be_searched(data: Path) -> None:
    write_lines(data / "mine.jsonl", [{"id": "m", "contents": "Mine\nharbor"}])
    env = Search(corpus=str(data / "mine.jsonl"))
    env.reset(options={"task": Search.panel("official/dev").tasks[0]})
    assert "Title: Mine" in env.step("<search>harbor</search>")[0].text


def test_without_files_there_are_no_official_panels(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AGENTGYM_SEARCH_DATA", raising=False)
    assert Search.splits() == made_splits()
    with pytest.raises(UsageError, match="set AGENTGYM_SEARCH_DATA"):
        Search.panel("official/dev")
    monkeypatch.setenv("AGENTGYM_SEARCH_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match=r"the folder that has dev.jsonl or .parquet"):
        Search.panel("official/dev")


def test_a_missing_split_names_the_nearest(data: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'official/test'"):
        Search.panel("official/tests")


def test_missing_passages_are_named_at_reset(data: Path) -> None:
    (data / "corpus.jsonl").rename(data / "other.jsonl")
    env = Search(retriever={"name": "bm25s", "k1": 0.91})
    with pytest.raises(UsageError, match="there is no corpus file '.*corpus.jsonl'"):
        env.reset(options={"task": Search.panel("official/dev").tasks[0]})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("no object", "no 'question'"),
        ({"golden_answers": ["a"]}, "no 'question'"),
        ({"question": " ", "golden_answers": ["a"]}, "no 'question'"),
        ({"question": "q?", "golden_answers": [" ", None]}, "no answer"),
        ({"question": "q?"}, "no answer"),
        ({"question": "q?", "reward_model": {"ground_truth": 3}}, "no answer"),
    ],
)
def test_a_row_that_is_no_question_is_named(data: Path, row: Any, message: str) -> None:
    write_lines(data / "bad.jsonl", [QUESTIONS[0], row])
    with pytest.raises(UsageError, match=f"bad.jsonl:2: {message}"):
        Search.panel("official/bad")


def test_rows_without_an_answer_are_counted(data: Path) -> None:
    rows = [{"question": f"{i}?", "golden_answers": ["a"] if i < 2 else []} for i in range(5)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), data / "part.parquet")
    with pytest.raises(UsageError, match="part.parquet, row 2: no answer .* 3 of 5 rows have none"):
        Search.panel("official/part")


def test_files_that_are_none_are_named(data: Path) -> None:
    (data / "torn.jsonl").write_text('{"question": "q?", "golden')
    (data / "torn.parquet").write_bytes(b"PAR1 torn")
    (data / "empty.jsonl").write_text("")
    with pytest.raises(UsageError, match="torn.parquet"):
        Search.panel("official/torn")
    (data / "torn.parquet").unlink()
    with pytest.raises(UsageError, match="torn.jsonl:1: no JSON"):
        Search.panel("official/torn")
    with pytest.raises(UsageError, match="has no questions"):
        Search.panel("official/empty")


@pytest.mark.parametrize("line", ["{", '{"id": 1}', "[1]", '{"id": 1, "contents": 2}'])
def test_a_line_that_is_no_passage_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "corpus.jsonl"
    file.write_text('{"id": 0, "contents": "x"}\n\n' + line + "\n")
    with pytest.raises(UsageError, match="corpus.jsonl:3: "):
        _ = open_corpus(file).passages


def test_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text("\n")
    with pytest.raises(UsageError, match="has no passages"):
        open_corpus(tmp_path / "corpus.jsonl")


def test_a_passage_has_a_title_and_a_text() -> None:
    def parts(contents: str) -> tuple[str, str, str]:
        passage = Passage(id="1", contents=contents)
        return passage.head, passage.title, passage.text

    assert parts('"A B"\nc\nd') == ('"A B"', "A B", "c\nd")
    assert parts("A B\nc") == ("A B", "A B", "c")
    assert parts('"') == ('"', '"', "")
    assert parts("") == ("", "", "")


def test_equal_files_have_equal_hashes(tmp_path: Path) -> None:
    hashes = set()
    for name in ("a", "b"):
        write_lines(tmp_path / name, PASSAGES)
        hashes.add(open_corpus(tmp_path / name).hash)
    write_lines(tmp_path / "c", cast("list[Any]", PASSAGES[:1]))
    assert len(hashes) == 1
    assert open_corpus(tmp_path / "c").hash not in hashes

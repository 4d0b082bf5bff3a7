"""tantivy: the same words as bm25s, on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentgym.envs.search.corpus import FileCorpus, ListCorpus, Passage
from agentgym.envs.search.env import Search
from agentgym.envs.search.retrievers import Retriever, make_plugin
from agentgym.envs.search.retrievers.bm25 import Bm25s
from agentgym.envs.search.tasks import load_panel
from agentgym.envs.search.world import load_world
from agentgym.errors import EnvError
from oracles import bm25

pytest.importorskip("tantivy", reason="install the extra 'tantivy'")

TEXTS = ("silent harbor novel", "old harbor town", "mara holt wrote silent silent night")
CORPUS = ListCorpus(
    passages=tuple(Passage(id=f"p{i}", contents=text) for i, text in enumerate(TEXTS))
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache directory for this test alone."""
    monkeypatch.setenv("AGENTGYM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "search"


def opened(corpus: Any = CORPUS) -> Retriever:
    return make_plugin("tantivy")(lambda: corpus)


@pytest.mark.parametrize("query", ["silent", "harbor town", "silent silent holt", "novel wrote"])
def test_it_ranks_by_bm25(query: str) -> None:
    documents = [text.split() for text in TEXTS]
    scores = bm25.scores(query.split(), documents, k1=1.2, b=0.75)
    order = sorted(range(3), key=lambda i: -scores[i])
    (hits,) = opened().search([query], topk=3)
    expected = [i for i in order if scores[i] > 0]
    assert [hit.passage for hit in hits] == [CORPUS.passages[i] for i in expected]
    # tantivy multiplies all scores by k1 + 1, which Lucene leaves out.
    assert [hit.score / 2.2 for hit in hits] == pytest.approx([scores[i] for i in expected])


def test_a_query_is_words_not_a_language() -> None:
    queries = ["+harbor -harbor", 'silent AND "old harbor"', "words:old", "((", "the", "", "*"]
    found = opened().search(queries, topk=3)
    assert [len(hits) for hits in found] == [2, 3, 1, 0, 0, 0, 0]


def test_it_opens_what_was_stored_and_needs_no_passages_in_memory(
    own_cache: Path, tmp_path: Path
) -> None:
    file = tmp_path / "corpus.jsonl"
    file.write_text('{"id": 7, "contents": "\\"Old Harbor\\"\\nA town: \\u6771."}\n')
    first = opened(FileCorpus(path=file)).search(["harbor"], topk=1)
    assert first[0][0].passage == Passage(id="7", contents='"Old Harbor"\nA town: \u6771.')
    (folder,) = own_cache.iterdir()
    written = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert opened(FileCorpus(path=file)).search(["harbor"], topk=1) == first
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == written


@pytest.mark.parametrize("ending", ["meta.json", ".store", ".idx", ".term", ".managed.json"])
def test_a_damaged_index_is_built_anew(own_cache: Path, ending: str) -> None:
    first = opened().search(["harbor"], topk=3)
    (folder,) = own_cache.iterdir()
    (path,) = (path for path in folder.iterdir() if path.name.endswith(ending))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert opened().search(["harbor"], topk=3) == first
    opened()


def test_an_index_that_cannot_be_stored_is_an_infrastructure_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AGENTGYM_CACHE", str(tmp_path / "file"))
    with pytest.raises(EnvError, match="index '.*tantivy.*': "):
        opened()


def test_the_expert_wins_with_it() -> None:
    env = Search(topk=3, retriever="tantivy")
    for task in load_panel("gen1/unseen").tasks[:60]:
        env.reset(options={"task": task})
        for _ in range(4):  # at most three searches, and the answer
            if env.step(env.expert_action())[2]:
                break
        assert env.outcome().success


def test_names_that_come_second_do_so_by_the_constants() -> None:
    things = load_world().things
    names = [thing.name for thing in things]
    found = opened(load_world().corpus).search(names, topk=3)
    ranked = [[hit.passage.id for hit in hits] for hits in found]
    late = [n for n, ids in enumerate(ranked) if ids[0] != str(n)]
    assert len(late) == 288
    assert sum(str(n) not in ids for n, ids in enumerate(ranked)) == 7
    same = Bm25s(k1=1.2, b=0.75).open(load_world().corpus).search(names, topk=1)
    assert [n for n, hits in enumerate(same) if hits[0].passage.id != str(n)] == late

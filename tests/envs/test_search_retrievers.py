"""Retrievers: BM25 against its formula, the stored index, and HTTP against a real server."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import bm25s
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_server import running

from agentgym.env import find_spec
from agentgym.envs.indexing.bm25 import WordIndex
from agentgym.envs.search.corpus import ListCorpus, Passage
from agentgym.envs.search.retrievers import Hit, Retriever, make_plugin
from agentgym.envs.search.retrievers.bm25 import Bm25s
from agentgym.envs.search.retrievers.http import HttpRetriever
from agentgym.envs.search.server import SearchServer
from agentgym.envs.search.tasks import load_panel
from agentgym.envs.search.world import load_world
from agentgym.errors import EnvError, UsageError
from agentgym.guard import GuardedEnv
from agentgym.pool import InlinePool, configured
from agentgym.render import ByteTemplate, Renderer
from agentgym.rollout import Agent, Start, play_group
from agentgym.trainers.engines.scripted import ScriptedEngine
from agentgym.types import Episode, EpisodeId, Status
from oracles import bm25

WORDS = ["harbor", "silent", "mara", "holt", "novel", "town"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache directory for this test alone."""
    monkeypatch.setenv("AGENTGYM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "search"


def corpus_of(*texts: str) -> ListCorpus:
    return ListCorpus(
        passages=tuple(Passage(id=f"p{i}", contents=text) for i, text in enumerate(texts))
    )


SMALL = corpus_of('"Silent Harbor"\nA novel.', '"Old Harbor"\nA town.', '"Mara Holt"\nShe wrote.')


def ids(hits: list[Hit]) -> list[str]:
    return [hit.passage.id for hit in hits]


def opened(corpus: ListCorpus = SMALL, **config: Any) -> Retriever:
    return make_plugin({"name": "bm25s", **config})(lambda: corpus)


@settings(max_examples=200)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8), min_size=1, max_size=8),
    st.lists(st.sampled_from([*WORDS, "unheard"]), min_size=1, max_size=4),
    st.sampled_from([(0.9, 0.4), (1.5, 0.75), (0.5, 0.0)]),
    st.integers(1, 9),
)
def test_bm25_ranks_by_lucenes_formula(
    documents: list[list[str]], query: list[str], constants: tuple[float, float], topk: int
) -> None:
    k1, b = constants
    corpus = corpus_of(*map(" ".join, documents))
    (hits,) = Bm25s(k1=k1, b=b).open(corpus).search([" ".join(query)], topk=topk)
    expected = bm25.scores(query, documents, k1=k1, b=b)
    assert len(hits) == min(topk, sum(score > 0 for score in expected))
    found = [int(hit.passage.id[1:]) for hit in hits]
    assert [hit.score for hit in hits] == pytest.approx([expected[i] for i in found], abs=1e-5)
    left = [score for i, score in enumerate(expected) if i not in found]
    assert all(score <= min(hit.score for hit in hits) + 1e-5 for score in left if hits)
    # The best first; among equals, by their order in the corpus.
    ranks = [(-hit.score, i) for hit, i in zip(hits, found, strict=True)]
    assert ranks == sorted(ranks)


@settings(max_examples=100)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), max_size=8), min_size=1, max_size=8).filter(any),
    st.sampled_from([(0.9, 0.4), (1.5, 0.75), (0.5, 0.0), (0.0, 1.0)]),
)
def test_an_index_is_the_one_bm25s_builds_itself(
    documents: list[list[str]], constants: tuple[float, float]
) -> None:
    k1, b = constants
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(sum(documents, [])))}
    theirs = bm25s.BM25(method="lucene", k1=k1, b=b)
    ids = [[vocabulary[word] for word in document] for document in documents]
    theirs.index((ids, dict(vocabulary)), show_progress=False)
    with TemporaryDirectory() as folder:
        WordIndex.build(documents, k1=k1, b=b).save(Path(folder))
        ours = bm25s.BM25.load(folder)
    assert list(ours.vocab_dict.items()) == list(vocabulary.items())
    assert ours.scores["num_docs"] == theirs.scores["num_docs"]
    for part in ("data", "indices", "indptr"):
        assert ours.scores[part].dtype == theirs.scores[part].dtype
        assert ours.scores[part].tolist() == theirs.scores[part].tolist()


def test_a_corpus_of_stop_words_alone_has_no_hits() -> None:
    assert opened(corpus_of("the", "and")).search(["the", "harbor"], topk=3) == [[], []]


def test_case_stop_words_and_punctuation_do_not_matter() -> None:
    retriever = opened()
    for query in ("silent harbor", "The SILENT, harbor?!", "was it Silent-Harbor"):
        assert ids(retriever.search([query], topk=3)[0]) == ["p0", "p1"]
    assert retriever.search(["", "the", "xyzzy", "\0", "\ud800"], topk=3) == [[], [], [], [], []]


def test_several_queries_are_answered_in_their_order() -> None:
    found = opened().search(["mara", "nothing", "old"], topk=1)
    assert [ids(hits) for hits in found] == [["p2"], [], ["p1"]]


def test_a_name_of_the_world_finds_its_own_passage_first(own_cache: Path) -> None:
    world = load_world()
    retriever = opened(world.corpus)
    for thing in world.things[::7]:
        (hits,) = retriever.search([thing.name], topk=1)
        assert ids(hits) == [str(thing.number)], thing.name


def test_an_index_is_stored_and_read_back(own_cache: Path) -> None:
    first = opened().search(["harbor"], topk=3)
    (folder,) = own_cache.iterdir()
    written = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert opened().search(["harbor"], topk=3) == first
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == written
    opened(k1=1.2)
    opened(corpus_of("another"))
    assert len(list(own_cache.iterdir())) == 3


@pytest.mark.parametrize("name", ["data.csc.index.npy", "vocab.index.json", "params.index.json"])
def test_a_damaged_index_is_built_anew(own_cache: Path, name: str) -> None:
    first = opened().search(["harbor"], topk=3)
    (folder,) = own_cache.iterdir()
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    assert opened().search(["harbor"], topk=3) == first
    assert (folder / name).read_bytes() == content


def test_a_cache_that_cannot_be_written_costs_no_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AGENTGYM_CACHE", str(tmp_path / "file"))
    assert ids(opened().search(["old harbor"], topk=1)[0]) == ["p1"]


def client(url: str, deadline_s: float = 10.0) -> Retriever:
    def unwanted() -> ListCorpus:
        raise AssertionError("a client needs no corpus")

    return make_plugin({"name": "http", "url": url, "deadline_s": deadline_s})(unwanted)


AWKWARD = ["harbor", "", "Größe 東京 \0 \x1b[2J", '"}{<&>', "old " * 50_000]


def test_a_client_gets_what_the_servers_retriever_finds() -> None:
    retriever = opened()
    with running(retriever) as url:
        for topk in (1, 2, 5):
            assert client(url).search(AWKWARD, topk=topk) == retriever.search(AWKWARD, topk=topk)


def test_many_clients_are_served_at_once() -> None:
    results: list[list[str]] = []
    with running(opened()) as url:
        threads = [
            threading.Thread(
                target=lambda: results.append(ids(client(url).search(["harbor"], topk=2)[0]))
            )
            for _ in range(32)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [["p0", "p1"]] * 32


def post(url: str, body: bytes) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_the_server_speaks_search_r1s_protocol() -> None:
    document = {
        "id": "p2", "contents": '"Mara Holt"\nShe wrote.', "title": "Mara Holt",
        "text": "She wrote.",
    }  # fmt: skip
    with running(opened(), topk=2) as url:
        bare = {"queries": ["mara", "harbor"]}
        status, answer = post(url, json.dumps(bare).encode())
        assert status == 200
        assert answer["result"][0] == [document]
        assert [each["id"] for each in answer["result"][1]] == ["p0", "p1"]  # the server's topk
        scored = {"queries": ["mara"], "topk": None, "return_scores": True}
        status, answer = post(url, json.dumps(scored).encode())
        assert status == 200
        assert answer["result"][0][0]["document"] == document
        assert answer["result"][0][0]["score"] > 0


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/retrieve", b"no json", 422),
        ("/retrieve", b'{"queries": "mara"}', 422),
        ("/retrieve", b'{"queries": ["mara"], "topk": 0}', 422),
        ("/elsewhere", b'{"queries": ["mara"]}', 404),
    ],
)
def test_a_bad_request_is_refused_with_a_reason(path: str, body: bytes, status: int) -> None:
    with running(opened()) as url:
        code, answer = post(url.removesuffix("/retrieve") + path, body)
        assert (code, bool(answer["detail"])) == (status, True)


@contextmanager
def answering(*pieces: bytes, pause_s: float = 0.0) -> Iterator[str]:
    """A server that says these bytes to every request, with pauses between; then hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def talk() -> None:
            while True:
                try:
                    channel, _ = listener.accept()
                except OSError:
                    return
                with channel:
                    channel.recv(1 << 16)
                    for piece in pieces:
                        if over.wait(pause_s):
                            return
                        try:
                            channel.sendall(piece)
                        except OSError:
                            break

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/retrieve"
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def reply(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n"
    return head.encode() + body


EMPTY = reply(b'{"result": [[]]}')


def test_finding_nothing_is_no_failure() -> None:
    with answering(EMPTY) as url:
        assert client(url).search(["x"], topk=3) == [[]]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"", "RemoteDisconnected|BadStatusLine|closed connection"),
        (b"nonsense\r\n\r\n", "BadStatusLine"),
        (reply(b"broken", "500 Internal Server Error"), "status 500: broken"),
        (reply(b"no json"), "not a retrieval result: JSONDecodeError"),
        (reply(b"[]"), "not a retrieval result: TypeError"),
        (reply(b'{"result": []}'), "0 results for 1 queries"),
        (reply(b'{"result": [[{"document": {"id": 1}, "score": 1}]]}'), "KeyError.*contents"),
        (reply(b'{"result": [[{"id": 1, "contents": "x"}]]}'), "KeyError.*document"),
        (reply(b'{"result": [[', length=100), "IncompleteRead"),
    ],
)
def test_an_answer_that_is_none_is_an_infrastructure_error(said: bytes, message: str) -> None:
    with answering(said) as url, pytest.raises(EnvError, match=f"retriever {url}: .*({message})"):
        client(url).search(["x"], topk=3)


def test_a_dead_retriever_is_an_infrastructure_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(EnvError, match=rf"127.0.0.1:{port}/retrieve: ConnectionRefused"):
        client(f"http://127.0.0.1:{port}/retrieve").search(["x"], topk=3)


@pytest.mark.parametrize(
    ("pieces", "pause_s"),
    [((EMPTY,), 30.0), (tuple(EMPTY[i : i + 1] for i in range(len(EMPTY))), 0.1)],
)
def test_a_slow_retriever_is_an_infrastructure_error_at_its_deadline(
    pieces: tuple[bytes, ...], pause_s: float
) -> None:
    # The second one sends a byte ten times a second: no single read is slow.
    with answering(*pieces, pause_s=pause_s) as url:
        began = time.monotonic()
        with pytest.raises(EnvError, match="no answer within 0.5 s"):
            client(url, deadline_s=0.5).search(["x"], topk=3)
        assert 0.4 < time.monotonic() - began < 5.0


def test_a_name_that_takes_forever_to_look_up_is_an_infrastructure_error_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(60) and [])
    began = time.monotonic()
    try:
        with pytest.raises(EnvError, match="no answer within 0.5 s"):
            client("http://slow.test/retrieve", deadline_s=0.5).search(["x"], topk=3)
    finally:
        over.set()
    assert 0.4 < time.monotonic() - began < 20.0


class Broken:
    """A retriever with a bug."""

    def search(self, queries: Any, *, topk: int) -> list[list[Hit]]:
        raise KeyError("bug")


def test_a_bug_of_the_server_is_told_and_a_client_that_left_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with running(Broken()) as url:
        with pytest.raises(EnvError):
            client(url).search(["x"], topk=3)
        with SearchServer(("127.0.0.1", 0), Broken(), topk=3) as server:
            try:
                raise BrokenPipeError
            except BrokenPipeError:
                server.handle_error(None, None)
    said = capsys.readouterr().err
    assert "KeyError: 'bug'" in said
    assert "BrokenPipeError" not in said


def test_a_dead_retriever_ends_the_episode_without_a_reward() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/retrieve"
    args = {"retriever": {"name": "http", "url": url}}
    env = GuardedEnv(configured(find_spec("agentgym/Search-v0"), None, args))
    task = load_panel("gen1/dev").tasks[0]
    env.reset(task, seed=0)
    with pytest.raises(EnvError, match="retriever http://127"):
        env.step("<search>harbor</search>")
    assert env.broken


class Choosy:
    """Finds one passage, but fails on one word."""

    def search(self, queries: Sequence[str], *, topk: int) -> list[list[Hit]]:
        """See `Retriever.search`."""
        if "fatal" in queries[0]:
            raise EnvError("the index is gone")
        return [[Hit(passage=SMALL.passages[0], score=1.0)] for _ in queries]


def play_with(url: str, *lines: tuple[str, ...]) -> tuple[Episode, ...]:
    """A group on one task that searches at that address; each member says its own lines."""
    task = load_panel("gen1/dev").tasks[0]
    args = {"retriever": {"name": "http", "url": url, "deadline_s": 5.0}}
    start = Start(
        id=EpisodeId(step=0, group=0, member=0), task=task, panel_hash="hash",
        env="agentgym/Search-v0", seed=0,
    )  # fmt: skip
    agent = Agent(
        engine=ScriptedEngine(
            lambda request: lines[request.episode.member][request.turn],
            encode=lambda text: (*text.encode(), 258),
        ),
        renderer=Renderer(ByteTemplate()),
        context=8000,
        max_turn_tokens=200,
    )
    pool = InlinePool("agentgym/Search-v0", args=args)
    return asyncio.run(play_group(pool, agent, start, size=len(lines))).episodes


GUESS = ("<answer>I guess</answer>",)


def test_a_dead_retriever_ends_the_episodes_that_ask_it_and_no_other() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/retrieve"
    asking, guessing = play_with(url, ("<search>harbor</search>", *GUESS), GUESS)
    assert (asking.status, asking.score, asking.turns) == (Status.INFRA_ERROR, None, ())
    assert asking.error is not None
    assert (asking.error.type, asking.error.phase) == ("EnvError", "turns")
    assert f"retriever {url}: ConnectionRefused" in asking.error.message
    assert (guessing.status, guessing.score, guessing.error) == (Status.FAILURE, 0.0, None)


def test_a_search_that_fails_on_the_server_ends_its_own_episode_alone() -> None:
    with running(Choosy()) as url:
        one, failed, other = play_with(
            url,
            ("<search>harbor</search>", *GUESS),
            ("<search>harbor</search>", "<search>fatal</search>", *GUESS),
            ("<search>town</search>", *GUESS),
        )
    assert (failed.status, failed.score, len(failed.turns)) == (Status.INFRA_ERROR, None, 1)
    assert failed.error is not None
    assert "status 500" in failed.error.message
    assert "the index is gone" in failed.error.message
    for sibling in (one, other):
        assert (sibling.status, sibling.score) == (Status.FAILURE, 0.0)
        assert "Silent Harbor" in sibling.turns[0].observation.text


@pytest.mark.parametrize(
    "url",
    ["ftp://x/y", "http://", "localhost:8000", "http://x:port/", "http://x/ y", "http://\xe9"],
)
def test_a_wrong_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="retriever 'http', setting 'url': "):
        make_plugin({"name": "http", "url": url})


def test_a_server_of_a_file_runs_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "corpus.jsonl"
    rows = [{"id": i, "contents": f'"Town {word}"\n{word}.'} for i, word in enumerate(WORDS)]
    file.write_text("\n".join(map(json.dumps, rows)))
    command = [sys.executable, "-m", "agentgym", "serve-search", str(file), "--port", "0"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
        # What a shell runs in the background inherits an ignored Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            match = re.search(r"http://\S+/retrieve", line)
            assert match, line
            retriever = client(match[0])
            assert isinstance(retriever, HttpRetriever)
            assert ids(retriever.search(["mara"], topk=1)[0]) == ["2"]
            server.send_signal(signal.SIGINT)
            assert server.wait(timeout=30) == 130
        finally:
            server.kill()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no-such-file.jsonl"], "there is no corpus file 'no-such-file.jsonl'"),
        (["gen1", "--retriever", "bm26"], "unknown retriever 'bm26'"),
        (["gen1", "--retriever", "{name: bm25s, b: 2}"], "retriever 'bm25s', setting 'b': "),
        (["gen1", "--retriever", "{name: dense}"], "retriever 'dense', setting 'model': "),
        (["gen1", "--retriever", "{name"], "retriever '{name': ParserError"),
        (["gen1", "--port", "99999"], "cannot listen on 127.0.0.1:99999"),
    ],
)
def test_a_server_that_cannot_start_says_why(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from agentgym.cli import main

    assert main(["serve-search", *words]) == 2
    assert message in capsys.readouterr().err

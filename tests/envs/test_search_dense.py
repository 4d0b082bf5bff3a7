"""dense: embeddings against a direct computation, the stored index, and a real MiniLM."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from agentgym.envs.search.corpus import ListCorpus, Passage
from agentgym.envs.search.env import Search
from agentgym.envs.search.retrievers import Hit, Retriever, make_plugin
from agentgym.envs.search.retrievers.dense import BATCH, DenseRetriever
from agentgym.errors import EnvError, UsageError
from agentgym.trainers.encoder import load_encoder

MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WORDS = ("silent", "harbor", "old", "town", "mara", "holt", "wrote", "night", "novel", "a")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache directory for this test alone."""
    monkeypatch.setenv("AGENTGYM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "search"


def save_encoder(folder: Path, *, seed: int = 0) -> str:
    """A tiny BERT with random weights as a model folder."""
    vocabulary = {word: number for number, word in enumerate((*MARKS, *WORDS))}
    inner = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    inner.normalizer, inner.pre_tokenizer = Lowercase(), BertPreTokenizer()
    inner.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]"
    )
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64, initializer_range=0.5,
    )  # fmt: skip
    torch.manual_seed(seed)
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_encoder(tmp_path_factory.mktemp("encoder"))


def corpus_of(*texts: str) -> ListCorpus:
    return ListCorpus(
        passages=tuple(Passage(id=f"p{i}", contents=text) for i, text in enumerate(texts))
    )


def draw_texts(count: int) -> list[str]:
    """Of 1 to 12 words, so that batches need padding."""
    generator = np.random.default_rng(0)
    return [" ".join(generator.choice(WORDS, generator.integers(1, 13))) for _ in range(count)]


MANY = corpus_of(*draw_texts(2 * BATCH + 5))


def opened(model: str, corpus: ListCorpus = MANY, **config: Any) -> Retriever:
    settings = {"max_tokens": 64, **config}
    return make_plugin({"name": "dense", "model": model, **settings})(lambda: corpus)


def ids(hits: list[Hit]) -> list[str]:
    return [hit.passage.id for hit in hits]


def embed(model: str, text: str) -> Any:
    """The embedding of one text, from its ids and the model's states: no batch, no padding."""
    known = {word: number for number, word in enumerate((*MARKS, *WORDS))}
    words = [known.get(word, 1) for word in text.lower().split()]
    with torch.no_grad():
        states = BertModel.from_pretrained(model)(torch.tensor([[2, *words, 3]]))[0][0]
    mean = states.double().mean(0)
    return (mean / mean.norm()).numpy()


def test_it_ranks_by_the_cosine_of_mean_states(model: str) -> None:
    texts = [passage.contents for passage in MANY]
    vectors = np.stack([embed(model, text) for text in texts])
    for query in ("silent harbor", "mara holt wrote a novel", "unheard town"):
        scores = vectors @ embed(model, query)
        (hits,) = opened(model).search([query], topk=5)
        found = [int(hit.passage.id[1:]) for hit in hits]
        # fp32 states of size 1, averaged: rounding stays well under 1e-5.
        assert [hit.score for hit in hits] == pytest.approx(scores[found].tolist(), abs=1e-5)
        left = np.delete(scores, found)
        assert left.max() <= min(hit.score for hit in hits) + 1e-5
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_a_long_text_is_cut(model: str) -> None:
    corpus = corpus_of("old town " * 100, "silent night")
    (hits,) = opened(model, corpus, max_tokens=6).search(["harbor"], topk=2)
    scores = {hit.passage.id: hit.score for hit in hits}
    query = embed(model, "harbor")
    assert scores["p0"] == pytest.approx(embed(model, "old town old town") @ query, abs=1e-5)
    assert scores["p1"] == pytest.approx(embed(model, "silent night") @ query, abs=1e-5)


def test_equal_passages_keep_their_order(model: str) -> None:
    corpus = corpus_of("old town", "silent night", "old town", "a", "old town")
    retriever = opened(model, corpus)
    assert ids(retriever.search(["old town"], topk=3)[0]) == ["p0", "p2", "p4"]
    assert ids(retriever.search(["old town"], topk=2)[0]) == ["p0", "p2"]
    assert len(retriever.search(["old town"], topk=9)[0]) == 5


def test_what_a_query_finds_does_not_depend_on_the_others(model: str) -> None:
    queries = ["silent harbor " * 20, "mara", "", "\0", "\ud800", "Gr\xf6\xdfe \u6771\u4eac"]
    retriever = opened(model)
    together = retriever.search(queries, topk=3)
    assert together == [retriever.search([query], topk=3)[0] for query in queries]
    assert [len(hits) for hits in together] == [3] * len(queries)


def test_threads_may_share_it(model: str) -> None:
    retriever, texts = opened(model), draw_texts(24)
    expected = {text: retriever.search([text], topk=2)[0] for text in texts}
    found: dict[str, list[Hit]] = {}

    def look_up(text: str) -> None:
        found[text] = retriever.search([text], topk=2)[0]

    threads = [threading.Thread(target=look_up, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


def test_embeddings_are_stored_by_corpus_model_and_length(
    model: str, own_cache: Path, tmp_path: Path
) -> None:
    first = opened(model).search(["harbor"], topk=3)
    (folder,) = own_cache.iterdir()
    (file,) = folder.iterdir()
    written = file.stat().st_mtime_ns
    assert opened(model).search(["harbor"], topk=3) == first
    assert file.stat().st_mtime_ns == written
    opened(model, corpus_of("another"))
    opened(model, max_tokens=6)
    opened(save_encoder(tmp_path / "other", seed=1))
    assert len(list(own_cache.iterdir())) == 4
    opened(save_encoder(tmp_path / "same"))  # another folder with the same content
    assert len(list(own_cache.iterdir())) == 4


@pytest.mark.parametrize("size", [0, 20, 300])
def test_a_damaged_index_is_built_anew(model: str, own_cache: Path, size: int) -> None:
    first = opened(model).search(["harbor"], topk=3)
    (file,) = next(own_cache.iterdir()).iterdir()
    content = file.read_bytes()
    file.write_bytes(content[:size])
    assert opened(model).search(["harbor"], topk=3) == first
    assert file.read_bytes() == content


def test_a_cache_that_cannot_be_written_costs_no_search(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AGENTGYM_CACHE", str(tmp_path / "file"))
    assert len(opened(model).search(["harbor"], topk=3)[0]) == 3


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="retriever 'dense', setting 'model': Field required"):
        Search(retriever="dense")
    with pytest.raises(UsageError, match="cannot load the encoder '.*nowhere'"):
        opened(str(tmp_path / "nowhere"))


def test_an_encoder_that_fails_is_an_infrastructure_error(model: str) -> None:
    failing = load_encoder(model, max_tokens=64, device="cpu")
    retriever = DenseRetriever(failing, MANY)
    cast("Any", failing)._model.embeddings = None
    with pytest.raises(EnvError, match="dense: TypeError"):
        retriever.search(["harbor"], topk=3)


def test_a_real_minilm_finds_by_meaning(own_cache: Path, minilm_folder: str) -> None:
    texts = (
        "There is a table and a refrigerator here.",
        "The veterinarian treated the sick horse.",
        "Parliament passed the budget in spring.",
    )
    retriever = opened(minilm_folder, corpus_of(*texts), max_tokens=256)
    queries = ["You see a fridge and a table.", "doctor for animals", "state finances"]
    found = retriever.search(queries, topk=1)
    assert [ids(hits) for hits in found] == [["p0"], ["p1"], ["p2"]]
    # What a direct computation gave for this pair, in two digits.
    assert found[0][0].score == pytest.approx(0.90, abs=0.005)

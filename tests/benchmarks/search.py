"""How fast the search environment runs on one core: `python -m tests.benchmarks.search [--json]`.

The corpus of 100,000 passages has 80 words each, drawn from 30,000 by Zipf's law; queries have
six. The environment plays experts' episodes of gen1/train on the fictional world, through its own
`reset` and `step`, three passages a search. All times are processor time, as other load only slows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median

import numpy as np

from agentgym.envs.search.corpus import ListCorpus, Passage
from agentgym.envs.search.env import Search
from agentgym.envs.search.retrievers.bm25 import Bm25sRetriever, build_index
from agentgym.envs.search.world import load_world

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

NUM_PASSAGES, NUM_WORDS, VOCABULARY = 100_000, 80, 30_000
NUM_QUERIES, QUERY_WORDS, TOPK = 300, 6, 3
NUM_EPISODES, NUM_ROUNDS = 300, 5
"""Episodes a round; the best of the rounds counts, as other load only slows."""


def draw_texts(count: int, num_words: int, generator: np.random.Generator) -> list[str]:
    """Texts whose words follow Zipf's law."""
    weights = 1.0 / np.arange(1, VOCABULARY + 1)
    ends = np.cumsum(weights / weights.sum())
    ranks = np.searchsorted(ends, generator.random((count, num_words)))
    return [" ".join(f"w{rank}" for rank in row) for row in ranks.tolist()]


def measure_retriever() -> Iterator[Row]:
    """Index and query times at 100,000 passages."""
    generator = np.random.default_rng(0)
    texts = draw_texts(NUM_PASSAGES, NUM_WORDS, generator)
    corpus = ListCorpus(
        passages=tuple(Passage(id=str(i), contents=text) for i, text in enumerate(texts))
    )
    began = time.process_time()
    index = build_index(corpus, k1=0.9, b=0.4)
    seconds = time.process_time() - began
    yield Row(what="index 100k passages", value=seconds, unit="s", bar=10, better="lower")
    retriever = Bm25sRetriever(index, corpus)
    times = []
    for query in draw_texts(NUM_QUERIES, QUERY_WORDS, generator):
        began = time.process_time()
        retriever.search([query], topk=TOPK)
        times.append(1000 * (time.process_time() - began))
    yield Row(what="query 100k passages", value=median(times), unit="ms", bar=2, better="lower")


def time_turns(env: Search) -> float:
    """Turns per second of whole episodes, their resets included."""
    turns = 0
    began = time.process_time()
    for task in Search.panel("gen1/train").tasks[:NUM_EPISODES]:
        env.reset(options={"task": task})
        terminated = False
        while not terminated:
            terminated = env.step(env.expert_action())[2]
            turns += 1
    return turns / (time.process_time() - began)


def measure() -> Iterator[Row]:
    """The rows of this benchmark."""
    yield from measure_retriever()
    began = time.process_time()
    corpus = load_world().corpus
    seconds = time.process_time() - began
    yield Row(what="world of 20k passages", value=seconds, unit="s", bar=2, better="lower")
    began = time.process_time()
    build_index(corpus, k1=0.9, b=0.4)
    yield Row(what="index 20k passages", value=time.process_time() - began, unit="s")
    env = Search()
    env.reset(seed=0)  # opens the index
    turns = max(time_turns(env) for _ in range(NUM_ROUNDS))
    yield Row(what="turns/s 20k passages", value=turns, unit="turns/s", bar=1000)


if __name__ == "__main__":
    main("search", measure)

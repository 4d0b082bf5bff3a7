"""Information gain: `python -m tests.benchmarks.information_gain [--json]`.

One episode of 10 turns and 2,560 tokens in a model of 6 layers of 256: the answer's score in the
state before every turn, by one forward per turn and in one pass over the token tree. The floor is
what the tokens alone give: those of all the forwards over the nodes of the tree. The quickstart's
model (3 layers of 128) is measured too: its attention is a larger part, and of that one pass
spares less. Then the share of a train step, in a run of IGPO on Lookup from a short warm start.

One thread. The two ways take turns, and the best of each counts; CPU seconds, which other load on
the machine changes less than those on the wall.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import torch

from agentgym import store
from agentgym.trainers import tiny, train
from agentgym.trainers.policy import Policy
from agentgym.trainers.probe import answer, state_ids
from agentgym.trainers.rewards import Question, Text
from agentgym.trainers.step import PHASES
from agentgym.types import Episode, EpisodeId, Observation, Status, Turn

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

NUM_TURNS, TURN_TOKENS, ACTION_TOKENS = 10, 256, 40
NUM_ROUNDS = 5
NUM_WORDS = 280
"""Makes a vocabulary as large as the quickstart's."""
TEXT = Text(prefix="thing 1thing 2", scored="thing 3thing 4thing 5thing 6", suffix="thing 7")
RUN: dict[str, Any] = {
    "env": {"id": "agentgym/Lookup-v0", "max_turns": 10},
    "model": {"path": "tiny", "hidden": 128, "layers": 3, "context": 1024},
    "train": {"steps": 5, "tasks_per_step": 8, "group_size": 8, "max_turn_tokens": 24},
    "credit": {"name": "igpo"},
    "rewards": {"information_gain": {"prefix": "answer[", "suffix": "]"}},
    "eval": {"samples": 1, "tasks": 4, "every": 0},
}


def make_policy(**sizes: int) -> Policy:
    """A model with random weights, long enough for the episode."""
    tokenizer = tiny.build_tokenizer((f"thing {i}" for i in range(NUM_WORDS)), min_count=1)
    return Policy(tiny.build_model(tokenizer, tiny.Size(context=4096, **sizes), seed=0), tokenizer)


def make_episode() -> Episode:
    """Random tokens in turns of equal length."""
    rng = random.Random(0)

    def some(count: int) -> tuple[int, ...]:
        return tuple(rng.choices(range(4, NUM_WORDS), k=count))

    turns = tuple(
        Turn(
            segment=0,
            prompt_ids=some(TURN_TOKENS if turn == 0 else TURN_TOKENS - ACTION_TOKENS),
            action_ids=some(ACTION_TOKENS),
            logprobs=(0.0,) * ACTION_TOKENS,
            finish="stop",
            text="",
            action="",
            invalid=None,
            observation=Observation(text=""),
            reward=0.0,
        )
        for turn in range(NUM_TURNS)
    )
    return Episode(
        id=EpisodeId(step=0, group=0, member=0),
        task_id="0",
        panel_hash="",
        env="",
        seed=0,
        system_prompt="",
        first=None,
        turns=turns,
        status=Status.SUCCESS,
        score=1.0,
        success=True,
        policy_version=0,
    )


def scores(policy: Policy, asked: list[tuple[Episode, Question]]) -> list[float]:
    """The scored tokens' logprobs of every question, end to end."""
    return [
        logprob
        for found in answer(asked, policy)
        for logprobs in found.logprobs
        for logprob in logprobs or ()
    ]


def compare(policy: Policy) -> tuple[float, float]:
    """CPU seconds of one forward per turn, and of one pass.

    Raises:
        AssertionError: they disagree.
    """
    episode = make_episode()
    asked = [(episode, Question(turn=turn, texts=(TEXT,))) for turn in range(NUM_TURNS)]
    alone, together = [], []
    for _ in range(NUM_ROUNDS):
        began = time.process_time()
        one_by_one = [logprob for question in asked for logprob in scores(policy, [question])]
        split = time.process_time()
        at_once = scores(policy, asked)
        alone.append(split - began)
        together.append(time.process_time() - split)
        assert torch.allclose(torch.tensor(one_by_one), torch.tensor(at_once), atol=1e-5)
    return min(alone), min(together)


def floor(policy: Policy) -> float:
    """Tokens of a forward per turn over nodes of the tree."""
    episode = make_episode()
    # What follows the last scored token is not read, nor is that token itself.
    own = len(policy.tokenizer.encode(TEXT.prefix + TEXT.scored)) - 1
    states = [len(state_ids(episode, turn)) for turn in range(NUM_TURNS)]
    assert states[-1] == NUM_TURNS * TURN_TOKENS
    return (sum(states) + NUM_TURNS * own) / (states[-1] + NUM_TURNS * own)


def shares() -> tuple[float, float]:
    """Seconds of information gain and credit over those of the step and of its update, of the
    median step."""
    with tempfile.TemporaryDirectory() as folder:
        train("corridor", out=Path(folder) / "run", **RUN)
        rows = [row for row in store.open(Path(folder) / "run").metrics() if "step" in row]
    spent = [{name: row[f"seconds/{name}"] for name in PHASES} for row in rows]
    credit = [step["probe"] + step["credit"] for step in spent]
    update = [step["forward"] + step["backward"] + step["optimizer"] for step in spent]
    return (
        median(part / sum(step.values()) for part, step in zip(credit, spent, strict=True)),
        median(part / of for part, of in zip(credit, update, strict=True)),
    )


def measure() -> Iterator[Row]:
    """All rows."""
    torch.set_num_threads(1)
    policy = make_policy(hidden=256, layers=6, heads=8, mlp=768)
    per_turn, one_pass = compare(policy)
    yield Row(what="one forward per turn", value=1e3 * per_turn, unit="ms")
    yield Row(what="one pass", value=1e3 * one_pass, unit="ms")
    yield Row(what="ratio one pass/per turn", value=per_turn / one_pass, unit="ratio", bar=4)
    yield Row(what="floor, by tokens", value=floor(policy), unit="ratio")
    per_turn, one_pass = compare(make_policy())
    yield Row(what="ratio, quickstart's model", value=per_turn / one_pass, unit="ratio")
    of_step, of_update = shares()
    yield Row(what="share of train step", value=of_step, unit="ratio", bar=0.15, better="lower")
    yield Row(what="seconds over those of the update", value=of_update, unit="ratio")


if __name__ == "__main__":
    main("information_gain", measure)

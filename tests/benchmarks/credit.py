"""What credit costs: `python -m tests.benchmarks.credit [--json]`.

SALT, GRPO and IGPO on 2,048 episodes of 50 turns; GiGPO on 12,800 turns, 32 groups of 8 episodes;
the Bellman closure, which is what CRBC, GRAFT and GraphHCA cost, on 64 groups of 8.

A whole call begins and ends with Python objects. Most of SALT is numbering the keys; the graph
kernel is what follows, on integers. The floor reads and hashes every key once and does nothing
with it: no scheme that looks at keys can be faster. The first call on a batch also pays for
hashing strings that nobody has hashed yet. Times are processor time, on one core.

A train step frees tensors of many megabytes. After the first, glibc keeps the memory of smaller
arrays instead of giving it back, and a call no longer pays for the same pages again and again; so
one is freed before anything is timed. The row "fresh process" is SALT before that.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from agentgym.trainers.credit.crbc import Crbc
from agentgym.trainers.credit.gigpo import Gigpo
from agentgym.trainers.credit.graph import Graph, mean_by
from agentgym.trainers.credit.grpo import Grpo
from agentgym.trainers.credit.igpo import Igpo
from agentgym.trainers.credit.layout import Layout, outcomes
from agentgym.trainers.credit.salt import Salt
from agentgym.trainers.credit.scores import closure
from agentgym.trainers.credit.windows import Windows
from agentgym.types import Episode, EpisodeId, Observation, Scored, ScoredGroup, Status, Turn

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

NUM_GROUPS, GROUP_SIZE, NUM_TURNS = 256, 8, 50
GIGPO_GROUPS, CLOSURE_GROUPS = 32, 64
WIDE = 100
"""Places of the groups for the closure, which have to have many states to cost anything."""
BARS = {"salt 2048x50": 50.0, "gigpo 12800 rows": 150.0, "closure 64 groups x 8 x 50": 60.0}
LARGE = 16 * 2**20
"""Bytes of the array that is freed first."""
NUM_BATCHES, NUM_CALLS = 5, 5
"""New batches, and calls on each; the best counts, as other load only slows."""

Groups = Sequence[ScoredGroup]


def make_groups(
    seed: int, num_groups: int = NUM_GROUPS, places: int = 10, rate: float = 0.8
) -> list[ScoredGroup]:
    """Groups whose members often do the same: every string its own object, as from a real run."""
    generator = random.Random(seed)

    def go() -> int:
        """Where a walker goes who prefers the first of the places, more so with a higher rate."""
        return min(int(generator.expovariate(rate)), places - 1)

    return [
        ScoredGroup(
            task_id=str(group),
            members=tuple(
                make_member(generator, go, group=group, member=member)
                for member in range(GROUP_SIZE)
            ),
        )
        for group in range(num_groups)
    ]


def make_member(
    generator: random.Random, go: Callable[[], int], *, group: int, member: int
) -> Scored:
    """An episode of a walker; every second one succeeds."""
    turns = tuple(make_turn(generator, go()) for _ in range(NUM_TURNS))
    score = float(generator.random() < 0.5)
    episode = Episode(
        id=EpisodeId(step=0, group=group, member=member),
        task_id=str(group),
        panel_hash="",
        env="agentgym/ALFWorld-v0",
        seed=0,
        system_prompt="",
        first=Observation(text="You are in the middle of a room."),
        turns=turns,
        status=Status.SUCCESS if score else Status.FAILURE,
        score=score,
        success=bool(score),
        policy_version=0,
    )
    return Scored(episode=episode, outcome=score, turn_rewards=(0.0,) * NUM_TURNS)


def make_turn(generator: random.Random, place: int) -> Turn:
    """A step to a place, and what is seen there."""
    text = f"You arrive at shelf {place}. On the shelf {place}, you see a mug 1, and a plate 2."
    return Turn(
        segment=0,
        prompt_ids=(),
        action_ids=(),
        logprobs=(),
        finish="stop",
        text="",
        action=f"go to shelf {place}",
        invalid=None,
        observation=Observation(text=text),
        reward=0.0,
        channels={"information_gain": generator.random()},
    )


def read_keys(groups: Groups) -> None:
    """The floor."""
    for group in groups:
        for member in group.members:
            for turn in member.episode.turns:
                hash((turn.action, turn.invalid, turn.observation.key))


def best_of(call: Callable[[], object]) -> float:
    """The best time of some calls."""
    return min(milliseconds(call) for _ in range(NUM_CALLS))


def milliseconds(call: Callable[[], object]) -> float:
    """The processor time of one call."""
    began = time.process_time()
    call()
    return 1000 * (time.process_time() - began)


def time_batch(seed: int) -> dict[str, float]:
    """Every row's best time on one new batch."""
    groups = make_groups(seed)
    first = milliseconds(lambda: Salt()(groups))
    layout = Layout.of(groups)
    windows = Windows.of(groups, layout)
    own = outcomes(groups)[layout.turn_episode]
    some = groups[:GIGPO_GROUPS]
    wide = make_groups(seed, CLOSURE_GROUPS, places=WIDE, rate=2 / WIDE)
    states = Graph.of(wide, Layout.of(wide))
    calls: dict[str, Callable[[], object]] = {
        "salt 2048x50": lambda: Salt()(groups),
        "of it: numbering the keys": lambda: Windows.of(groups, layout),
        "of it: graph kernel": lambda: mean_by(own, windows.walk(3)[1]),
        "floor: read every key": lambda: read_keys(groups),
        "grpo 2048x50": lambda: Grpo()(groups),
        "igpo 2048x50": lambda: Igpo()(groups),
        "gigpo 12800 rows": lambda: Gigpo()(some),
        "closure 64 groups x 8 x 50": lambda: Crbc()(wide),
        "of it: linear solves": lambda: closure(states, gamma=0.98),
    }
    best = {what: best_of(call) for what, call in calls.items()}
    return best | {"salt, first call on a batch": first}


def measure() -> Iterator[Row]:
    """The rows of this benchmark."""
    groups = make_groups(NUM_BATCHES)
    fresh = best_of(lambda: Salt()(groups))
    np.zeros(LARGE, dtype=np.uint8).fill(1)
    batches = [time_batch(seed) for seed in range(NUM_BATCHES)]
    yield Row(what="salt, fresh process ms", value=fresh, unit="ms", better="lower")
    for what in batches[0]:
        value = min(batch[what] for batch in batches)
        bar = BARS.get(what)
        yield Row(what=f"{what} ms", value=value, unit="ms", bar=bar, better="lower")


if __name__ == "__main__":
    main("credit", measure)

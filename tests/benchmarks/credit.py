"""What credit costs on 2,048 episodes of 50 turns: `python -m tests.benchmarks.credit [--json]`.

The whole call begins with Python objects and ends with them; the kernel begins with the keys as
integers. The floor reads and hashes every key once and does nothing with it: no scheme that
looks at keys can be faster. A batch's first call also hashes strings that nobody has hashed yet.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence

from agentgym.trainers.credit.graph import Graph
from agentgym.trainers.credit.grpo import Grpo
from agentgym.trainers.credit.igpo import Igpo
from agentgym.trainers.credit.layout import Layout
from agentgym.trainers.credit.salt import Salt
from agentgym.types import (
    Episode,
    EpisodeId,
    Observation,
    Scored,
    ScoredGroup,
    Status,
    Turn,
)

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

NUM_GROUPS, GROUP_SIZE, NUM_TURNS = 256, 8, 50
NUM_BATCHES, NUM_CALLS = 5, 4
"""New batches, and calls on each; the best counts, as other load only slows."""

Groups = Sequence[ScoredGroup]


def make_groups(seed: int) -> list[ScoredGroup]:
    """Groups whose members often do the same: every string its own object, as from a real run."""
    generator = random.Random(seed)
    return [
        ScoredGroup(
            task_id=str(number),
            members=tuple(make_member(generator, number, m) for m in range(GROUP_SIZE)),
        )
        for number in range(NUM_GROUPS)
    ]


def make_member(generator: random.Random, group: int, member: int) -> Scored:
    """An episode of a walker that prefers the first of ten places."""
    turns: list[Turn] = []
    for _ in range(NUM_TURNS):
        place = min(int(generator.expovariate(0.8)), 9)
        turns.append(
            Turn(
                segment=0,
                prompt_ids=(),
                action_ids=(),
                logprobs=(),
                finish="stop",
                text="",
                action=f"go to shelf {place}",
                invalid=None,
                observation=Observation(
                    text=f"You arrive at shelf {place}. On the shelf {place}, you see a mug 1, "
                    f"a plate {place}, a vase 3, and a watch 2."
                ),
                reward=0.0,
                channels={"information_gain": generator.random()},
            )
        )
    episode = Episode(
        id=EpisodeId(step=0, group=group, member=member),
        task_id=str(group),
        panel_hash="",
        env="agentgym/ALFWorld-v0",
        seed=0,
        system_prompt="",
        first=Observation(text="You are in the middle of a room."),
        turns=tuple(turns),
        status=Status.FAILURE,
        score=float(generator.random() < 0.5),
        success=None,
        policy_version=0,
    )
    return Scored(
        episode=episode, outcome=episode.score or 0.0, turn_rewards=(0.0,) * NUM_TURNS
    )


def milliseconds(call: Callable[[], object]) -> float:
    """The wall-clock time of one call."""
    began = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - began)


def read_keys(groups: Groups) -> None:
    """The floor."""
    for group in groups:
        for member in group.members:
            for turn in member.episode.turns:
                hash((turn.action, turn.invalid, turn.observation.key))


def merge(graph: Graph, own: Groups) -> None:
    raise NotImplementedError


def measure() -> Iterator[Row]:
    """The rows of this benchmark."""
    first, again, floor, intern, edges, grpo, igpo = ([] for _ in range(7))
    for seed in range(NUM_BATCHES):
        groups = make_groups(seed)
        layout = Layout.of(groups)
        first.append(milliseconds(lambda: Salt()(groups)))
        for _ in range(NUM_CALLS):
            again.append(milliseconds(lambda: Salt()(groups)))
            floor.append(milliseconds(lambda: read_keys(groups)))
            intern.append(milliseconds(lambda: Graph.of(groups, layout)))
            graph = Graph.of(groups, layout)
            edges.append(milliseconds(lambda: graph.edges(3)))
            grpo.append(milliseconds(lambda: Grpo()(groups)))
            igpo.append(milliseconds(lambda: Igpo()(groups)))
    for x in (first, again, floor, intern, edges, grpo, igpo):
        print(round(min(x),1), round(sorted(x)[len(x)//2],1))
    print(Salt()(groups).metrics)
    yield Row(what="x", value=1.0, unit="ms")


if __name__ == "__main__":
    main("credit", measure)

"""What credit costs on 2,048 episodes of 50 turns: `python -m tests.benchmarks.credit [--json]`.

A whole call begins and ends with Python objects. Most of SALT is numbering the keys; the graph
kernel is what follows, on integers. The floor reads and hashes every key once and does nothing
with it: no scheme that looks at keys can be faster. The first call on a batch also pays for
hashing strings that nobody has hashed yet. Times are processor time, on one core.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence

from agentgym.trainers.credit.graph import mean_by
from agentgym.trainers.credit.grpo import Grpo
from agentgym.trainers.credit.igpo import Igpo
from agentgym.trainers.credit.layout import Layout, outcomes
from agentgym.trainers.credit.salt import Salt
from agentgym.trainers.credit.windows import Windows
from agentgym.types import Episode, EpisodeId, Observation, Scored, ScoredGroup, Status, Turn

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

NUM_GROUPS, GROUP_SIZE, NUM_TURNS = 256, 8, 50
NUM_BATCHES, NUM_CALLS = 5, 5
"""New batches, and calls on each; the best counts, as other load only slows."""

Groups = Sequence[ScoredGroup]


def make_groups(seed: int) -> list[ScoredGroup]:
    """Groups whose members often do the same: every string its own object, as from a real run."""
    generator = random.Random(seed)
    return [
        ScoredGroup(
            task_id=str(group),
            members=tuple(make_member(generator, group, member) for member in range(GROUP_SIZE)),
        )
        for group in range(NUM_GROUPS)
    ]


def make_member(generator: random.Random, group: int, member: int) -> Scored:
    """An episode of a walker that prefers the first of ten places."""
    episode = Episode(
        id=EpisodeId(step=0, group=group, member=member),
        task_id=str(group),
        panel_hash="",
        env="agentgym/ALFWorld-v0",
        seed=0,
        system_prompt="",
        first=Observation(text="You are in the middle of a room."),
        turns=tuple(make_turn(generator) for _ in range(NUM_TURNS)),
        status=Status.FAILURE,
        score=float(generator.random() < 0.5),
        success=None,
        policy_version=0,
    )
    return Scored(episode=episode, outcome=episode.score or 0.0, turn_rewards=(0.0,) * NUM_TURNS)


def make_turn(generator: random.Random) -> Turn:
    """A step to a place, and what is seen there."""
    place = min(int(generator.expovariate(0.8)), 9)
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
    calls: dict[str, Callable[[], object]] = {
        "SALT, whole call": lambda: Salt()(groups),
        "of it: numbering the keys": lambda: Windows.of(groups, layout),
        "of it: graph kernel": lambda: mean_by(own, windows.edges(3)),
        "floor: read every key": lambda: read_keys(groups),
        "GRPO, whole call": lambda: Grpo()(groups),
        "IGPO, whole call": lambda: Igpo()(groups),
    }
    best = {what: min(milliseconds(call) for _ in range(NUM_CALLS)) for what, call in calls.items()}
    return best | {"SALT, first call on a batch": first}


def measure() -> Iterator[Row]:
    """The rows of this benchmark."""
    batches = [time_batch(seed) for seed in range(NUM_BATCHES)]
    for what in batches[0]:
        value = min(batch[what] for batch in batches)
        bar = 50.0 if what == "SALT, whole call" else None
        yield Row(what=what, value=value, unit="ms", bar=bar, better="lower")


if __name__ == "__main__":
    main("credit", measure)

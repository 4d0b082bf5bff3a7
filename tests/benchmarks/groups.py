"""ALFWorld groups as text, to be read in any model's tokens: a committed file, and how it is made.

`python -m tests.benchmarks.groups runs/quickstart 24` writes it anew, from that step of a run.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from agentgym import store
from agentgym.demonstrate import Demonstration
from agentgym.types import DemonstratedTurn, Episode, Observation

PATH = Path(__file__).parent / "data" / "alfworld-groups.parquet"
NUM_GROUPS = 16


def write(run: Path, step: int) -> None:
    """Keep the first groups of a train step: what was seen and said, without choices or tokens."""
    groups = store.open(run).groups(f"step-{step:06d}")[:NUM_GROUPS]
    rows = [_row(number, e) for number, group in enumerate(groups) for e in group.valid]
    PATH.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), PATH, compression="zstd")


def _row(group: int, episode: Episode) -> dict[str, object]:
    assert episode.first is not None
    return {
        "group": group,
        "task": episode.task_id,
        "system_prompt": episode.system_prompt,
        "first": episode.first.text,
        "turns": [
            {"action": turn.text, "observation": turn.observation.text} for turn in episode.turns
        ],
    }


def read() -> Sequence[Sequence[Demonstration]]:
    """The groups; every turn counts as one to train on."""
    groups: list[list[Demonstration]] = [[] for _ in range(NUM_GROUPS)]
    for row in pq.read_table(PATH).to_pylist():
        turns = tuple(
            DemonstratedTurn(
                action=turn["action"],
                observation=Observation(text=turn["observation"]),
                is_mistake=False,
            )
            for turn in row["turns"]
        )
        episode = Demonstration(
            task_id=row["task"],
            system_prompt=row["system_prompt"],
            first=Observation(text=row["first"]),
            turns=turns,
        )
        groups[row["group"]].append(episode)
    return groups


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))

"""An environment whose tasks have a gold answer that nobody must see."""

from __future__ import annotations

from saying_env import Saying

from agentgym import Panel, Task

CANARY = "zyx-canary-wvu"


class Canary(Saying):
    """Says hello to everything; the answer stands in the secret and nowhere else."""

    @classmethod
    def panel(cls, split: str) -> Panel:
        tasks = tuple(
            Task(
                id=str(number),
                split="gen1/train",
                seed=0,
                public={"says": f"hello {number}"},
                secret={"answers": [f"{CANARY} {number}", CANARY]},
            )
            for number in range(4)
        )
        return Panel(name=split, env="canary_env:Canary", tasks=tasks)

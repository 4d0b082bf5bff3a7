"""What `agentgym plan` says of the recipes for a GPU: `python -m tests.benchmarks.plans`.

It prints the README's table; a minute of one core.
"""

from __future__ import annotations

from collections.abc import Iterator

from agentgym.trainers import plan
from agentgym.trainers.config import resolve
from agentgym.trainers.show_plan import read_size

MEMORY = {
    "alfworld-salt-1.5b": "80GB",
    "alfworld-gigpo-1.5b-paper": "80GB",
    "alfworld-salt-1.5b-lora": "24GB",
}
"""The GPU that each recipe is for."""


def table() -> Iterator[str]:
    """The lines of the table; GB as memory is sold."""
    yield "| recipe | GPU | weights, optimizer | an update | play | tokens a micro-batch | fits |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name, memory in MEMORY.items():
        found = plan.make(resolve(name)).settled(read_size(memory))
        sizes = found.memory
        kept = sizes.weights + sizes.optimizer
        gb = " | ".join(f"{n / 2**30:.1f} GB" for n in (kept, sizes.update, sizes.rollout))
        budget = found.recipe.train.token_budget
        fits = "yes" if found.fits(read_size(memory)) else "no"
        yield f"| `{name}` | {memory} | {gb} | {budget:,} | {fits} |"


if __name__ == "__main__":
    for line in table():
        print(line, flush=True)

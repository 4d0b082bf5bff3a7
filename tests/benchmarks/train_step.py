"""The update's forward and backward pass: `python -m tests.benchmarks.train_step [--json]`.

Token trees against length-sorted padded micro-batches of the same sequences and the same budget,
with the head at trained tokens only, as the trainer pads, and with all logits, as most trainers
do. Two shapes: groups of 8 ALFWorld episodes of one task, by the environment's demonstrator with
mistakes put in, in the quickstart's model; and a group whose members share 2,000 tokens, in a
model of that size. Where episodes share little, the trainer pads (`batches.MIN_SHARING`): the
third shape is ALFWorld episodes of one task each. The floor is padded tokens over nodes.

One thread. The ways take turns, and the best of each counts; CPU seconds, which other load on the
machine changes less than those on the wall.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from agentgym.demonstrate import demonstrate
from agentgym.trainers import batches, sft, tiny
from agentgym.trainers.batches import MicroBatch
from agentgym.trainers.build import Panels, make_pool, make_renderer
from agentgym.trainers.config import resolve
from agentgym.trainers.imitate import build_model
from agentgym.trainers.policy import Policy
from agentgym.trainers.tree import depth_first, split_rows

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

BUDGET = 4096
"""`train.micro_batch_tokens`, as it is unless a recipe says otherwise."""
GROUP_SIZE, NUM_GROUPS = 8, 6
MISTAKES = 0.5
"""Makes groups share about as many tokens as those of a warm-started policy: 1.2 times."""
SHARED, OWN = 2000, (100, 250)
NUM_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """Sequences to train on, and the model that does."""

    name: str
    policy: Policy
    ids: list[tuple[int, ...]]
    trained: list[tuple[int, ...]]


def alfworld(*, group_size: int) -> Shape:
    """Groups of demonstrations; all of one length of tokens or so."""
    recipe = resolve("quickstart")
    panel = Panels.load(recipe).train
    with tempfile.TemporaryDirectory() as folder:
        build_model(recipe, panel, Path(folder))
        policy = Policy.load(folder, device="cpu")
    renderer = make_renderer(recipe, policy)
    tasks = panel.tasks[: NUM_GROUPS * GROUP_SIZE // group_size]
    repeated = [task for task in tasks for _ in range(group_size)]
    demonstrations = demonstrate(make_pool(recipe), repeated, seed=0, mistakes=MISTAKES)
    sequences = [
        sequence
        for demonstration in demonstrations
        for sequence in sft.tokenize(demonstration, renderer, observation_loss=0.0)
    ]
    return Shape(
        f"ALFWorld x{group_size}",
        policy,
        [sequence.ids for sequence in sequences],
        [tuple(i for i, w in enumerate(s.weights) if w == 1) for s in sequences],
    )


def long_prefix() -> Shape:
    """A group of random tokens."""
    tokenizer = tiny.build_tokenizer((f"thing {i}" for i in range(280)), min_count=1)
    policy = Policy(tiny.build_model(tokenizer, tiny.Size(context=4096), seed=0), tokenizer)
    rng = random.Random(0)
    prefix = rng.choices(range(4, 280), k=SHARED)
    ids = [(*prefix, *rng.choices(range(4, 280), k=rng.randint(*OWN))) for _ in range(GROUP_SIZE)]
    return Shape(f"{SHARED} shared", policy, ids, [tuple(range(SHARED, len(s), 2)) for s in ids])


def lots(shape: Shape, *, as_tree: bool) -> list[MicroBatch]:
    """The micro-batches of one way, whatever the rule would choose."""
    lengths = [positions[-1] for positions in shape.trained]
    rows = batches.padded(lengths, budget=BUDGET)
    cut = [ids[:length] for ids, length in zip(shape.ids, lengths, strict=True)]
    if as_tree:
        rows = [row for row, _ in split_rows(cut, depth_first(cut), budget=BUDGET)]
    return [
        MicroBatch(
            members=row,
            ids=tuple(cut[i] for i in row),
            targets=tuple(tuple(shape.ids[i][j] for j in shape.trained[i]) for i in row),
            wanted=tuple(shape.trained[i] for i in row),
            as_tree=as_tree,
        )
        for row in rows
    ]


def seconds(shape: Shape, lot: Sequence[MicroBatch], score: Callable[..., Tensor]) -> float:
    """Of one forward and backward pass over all micro-batches."""
    began = time.process_time()
    for batch in lot:
        score(shape.policy, batch).sum().backward()
    taken = time.process_time() - began
    shape.policy.model.zero_grad()
    return taken


def trimmed(policy: Policy, batch: MicroBatch) -> Tensor:
    """The product."""
    return policy.run(batch)


def full(policy: Policy, batch: MicroBatch) -> Tensor:
    """Padded rows, logits everywhere."""
    length = max(map(len, batch.ids))
    padded = torch.tensor([[*ids, *[0] * (length - len(ids))] for ids in batch.ids])
    model: Any = policy.model
    logprobs_BLV = model(input_ids=padded, use_cache=False).logits.float().log_softmax(-1)
    rows = [row for row, positions in enumerate(batch.wanted) for _ in positions]
    columns = [position - 1 for positions in batch.wanted for position in positions]
    targets = [token for tokens in batch.targets for token in tokens]
    found: Tensor = logprobs_BLV[rows, columns, targets]
    return found


def compare(shape: Shape) -> Iterator[Row]:
    """The rows of one shape."""
    tree, plain = lots(shape, as_tree=True), lots(shape, as_tree=False)
    with torch.no_grad():
        # Nothing of this is worth timing unless both say the same.
        in_tree = {i: part for batch in tree for i, part in _parts(shape.policy, batch)}
        for batch in plain:
            for i, part in _parts(shape.policy, batch):
                assert torch.allclose(in_tree[i], part, atol=1e-4)
    ways = {"tree": (tree, trimmed), "trimmed": (plain, trimmed), "full": (plain, full)}
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(NUM_ROUNDS):
        for way, (lot, score) in ways.items():
            best[way] = min(best[way], seconds(shape, lot, score))
    nodes = sum(size for _, size in split_rows(*_ordered(tree), budget=BUDGET))
    tokens = sum(len(batch.ids) * max(map(len, batch.ids)) for batch in plain)
    chosen = next(iter(shape.policy.plan(shape.ids, shape.trained, budget=BUDGET))).as_tree
    bars = {"ALFWorld x8": (1.15, 1.5), "2000 shared": (3.0, 3.0)}.get(shape.name, (None, None))
    yield Row(what=f"{shape.name}: tree", value=1e3 * best["tree"], unit="ms")
    for way, bar in zip(("trimmed", "full"), bars, strict=True):
        ratio = best[way] / best["tree"]
        yield Row(what=f"{shape.name}: padded, {way} / tree", value=ratio, unit="ratio", bar=bar)
    yield Row(what=f"{shape.name}: floor, by tokens", value=tokens / nodes, unit="ratio")
    yield Row(what=f"{shape.name}: the trainer uses the tree", value=float(chosen), unit="")


def _ordered(lot: Sequence[MicroBatch]) -> tuple[list[Sequence[int]], range]:
    ids = [one for batch in lot for one in batch.ids]
    return ids, range(len(ids))


def _parts(policy: Policy, batch: MicroBatch) -> Iterator[tuple[int, Tensor]]:
    sizes = [len(positions) for positions in batch.wanted]
    return zip(batch.members, policy.run(batch).split(sizes), strict=True)


def measure() -> Iterator[Row]:
    """All rows."""
    torch.set_num_threads(1)
    for shape in (alfworld(group_size=GROUP_SIZE), long_prefix(), alfworld(group_size=1)):
        yield from compare(shape)


if __name__ == "__main__":
    main("train_step", measure)

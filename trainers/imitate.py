"""From demonstrations to a warm-started policy, and the record of how."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from agentgym.demonstrate import Demonstration, Tally, demonstrate
from agentgym.errors import EnvError
from agentgym.panel import Panel
from agentgym.pool import Pool
from agentgym.render import ByteTemplate, Renderer
from agentgym.rollout import derive_seed
from agentgym.trainers import sft, tiny
from agentgym.trainers.build import Panels, make_pool, make_renderer
from agentgym.trainers.config import Recipe
from agentgym.trainers.memory import give_back
from agentgym.trainers.policy import Policy
from agentgym.trainers.progress import phase, say
from agentgym.trainers.stop import Stop, Stopped
from agentgym.trainers.warm_start import CurvePoint, WarmStartRecord, tell_dropped
from agentgym.trainers.world import World

TEXT_TASKS = {"phrases": 400, "units": 1000}
"""Train tasks whose demonstrations the tokenizer of `tiny` is built from."""
HELD_OUT = 60
"""Demonstrations on the eval panel for the held-out loss; nobody trains on them."""
CURVE_POINTS = 8
"""How often the held-out loss is measured."""


def build_model(recipe: Recipe, panel: Panel, folder: Path) -> None:
    """Build the small model and its tokenizer from the text of the train panel alone."""
    tokenizer = build_tokenizer(recipe, panel)
    size = tiny.Size(
        hidden=recipe.model.hidden,
        layers=recipe.model.layers,
        context=recipe.model.context,
        embedding_std=recipe.model.embedding_std,
    )
    model = tiny.build_model(tokenizer, size, seed=recipe.seed)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    count = sum(parameter.numel() for parameter in model.parameters())
    say(f"tiny: {count / 1e6:.2f} M parameters, {len(tokenizer)} tokens")


def build_tokenizer(recipe: Recipe, panel: Panel) -> PreTrainedTokenizerFast:
    """The small model's tokenizer, from demonstrations on the train panel."""
    tasks = panel.head(TEXT_TASKS[recipe.model.tokens]).tasks
    seed = derive_seed(recipe.seed, "text")
    tally = Tally()
    with _pool(recipe) as pool:
        demonstrations = list(demonstrate(pool, tasks, seed=seed, mistakes=0.2, tally=tally))
    if not demonstrations:
        raise no_demonstration(recipe, tally)
    reader = Renderer(ByteTemplate(), show_choices=recipe.render.show_choices)
    texts = [text for demonstration in demonstrations for text in _texts(demonstration, reader)]
    build = tiny.build_unit_tokenizer if recipe.model.tokens == "units" else tiny.build_tokenizer
    return build(texts)


@contextmanager
def _pool(recipe: Recipe) -> Iterator[Pool]:
    """The recipe's environments, for as long as the block lasts."""
    pool = make_pool(recipe)
    try:
        yield pool
    finally:
        asyncio.run(pool.close())


def no_demonstration(recipe: Recipe, tally: Tally) -> EnvError:
    """What to raise where there is no demonstration at all."""
    dropped = tell_dropped(lost=tally.lost, late=tally.late, failed=tally.failed)
    died = f", the last: {tally.last}" if tally.failed else ""
    more = ", or give its expert more turns: env.max_turns" if tally.late else ""
    return EnvError(
        f"'{recipe.env.id}': none of {tally.played} demonstrations won ({dropped}{died}); see what "
        f"'agentgym check {recipe.env.id}' says of it{more}"
    )


def _look(stop: Stop, world: World, title: str) -> None:
    """Stop in every process when the user asked the one that leads to."""
    if world.any(stop.asked):
        if world.leads:
            say(f"stopped in the {title}, nothing of it is kept; --resume begins it anew")
        raise Stopped


def _texts(demonstration: Demonstration, reader: Renderer) -> list[str]:
    """The observations as a model reads them, and the actions."""
    texts = [reader.user_text(demonstration.first)]
    for turn in demonstration.turns:
        texts += [turn.action, reader.user_text(turn.observation)]
    return texts


def imitate(
    world: World,
    recipe: Recipe,
    panels: Panels,
    *,
    policy: Policy,
    title: str = "warm start",
    stop: Stop | None = None,
) -> WarmStartRecord:
    """Collect demonstrations and train on them; every process does its share.

    Args:
        recipe: has a warm start.
        title: what this imitation is; other titles get other demonstrations.
        stop: whether the user asked to stop; None never asks.

    Raises:
        EnvError: there is no demonstration.
        Stopped: in every process, when the user asked the one that leads to stop.
    """
    config, stop = recipe.warm_start, stop or Stop()
    assert config is not None
    seed = derive_seed(recipe.seed, title, world.rank)

    under_way = "this demonstration" if world.size == 1 else "the other processes' demonstrations"
    with stop.after(under_way):
        found = _collect(world, recipe, panels, make_renderer(recipe, policy), seed=seed, stop=stop)
        _look(stop, world, title)
    if not found.sequences:
        raise no_demonstration(recipe, found.tally)

    curve = []
    every, budget = math.ceil(config.updates / CURVE_POINTS), recipe.train.token_budget
    losses = sft.warm_start(policy, found.sequences, config, world=world, seed=seed, budget=budget)
    with (
        stop.after(f"this update of the {title}"),
        phase(title, total=config.updates, shown=world.leads) as advance,
    ):
        for update, loss in enumerate(losses, start=1):
            advance(update, f"loss {loss:.3f}")
            _look(stop, world, title)
            if update % every == 0 or update == config.updates:
                held_out = sft.action_loss(policy, found.held_out, budget=budget)
                curve.append(CurvePoint(update=update, train_loss=loss, held_out_loss=held_out))
    give_back()  # the optimizer and its micro-batches
    total = world.sum_floats(found.counts())
    return WarmStartRecord(
        demonstrations=int(total["won"]),
        played=int(total["played"]),
        lost=int(total["lost"]),
        late=int(total["late"]),
        failed=int(total["failed"]),
        mistakes=total["mistakes"] / total["turns"],
        mistakes_asked=config.mistakes,
        updates=config.updates,
        tokens_per_episode=total["tokens"] / total["won"],
        curve=tuple(curve),
    )


@dataclass(slots=True, kw_only=True)
class _Collected:
    """This process's share of the demonstrations."""

    sequences: list[sft.ImitationSequence] = field(default_factory=list)
    held_out: list[sft.ImitationSequence] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    def counts(self) -> dict[str, float]:
        """What the record sums over the processes."""
        tally = self.tally
        names = ("won", "played", "lost", "late", "failed", "turns", "mistakes")
        counts = {name: float(getattr(tally, name)) for name in names}
        return counts | {"tokens": float(sum(len(sequence.ids) for sequence in self.sequences))}


def _collect(
    world: World, recipe: Recipe, panels: Panels, renderer: Renderer, *, seed: int, stop: Stop
) -> _Collected:
    """The demonstrations as tokens, fewer when the user asks to stop; held out by the leader."""
    config = recipe.warm_start
    assert config is not None
    panel = panels.train
    tasks = world.share(panel.tasks[i % len(panel)] for i in range(config.demonstrations))
    found = _Collected()
    tally = found.tally
    with (
        _pool(recipe) as pool,
        phase("demonstrations", total=len(tasks), shown=world.leads) as advance,
    ):
        with closing(
            demonstrate(pool, tasks, seed=seed, mistakes=config.mistakes, tally=tally)
        ) as shown:
            for demonstration in shown:
                found.sequences += sft.tokenize(
                    demonstration, renderer, observation_loss=config.observation_loss
                )
                if tally.played < len(tasks):
                    advance(tally.played, _remark(tally))
                if stop.asked:
                    return found
        advance(tally.played, _remark(tally))
        if world.leads:
            own_seed = derive_seed(recipe.seed, "held out")
            found.held_out += _hold_out(pool, panels.eval, renderer, seed=own_seed, stop=stop)
    return found


def _hold_out(
    pool: Pool, panel: Panel, renderer: Renderer, *, seed: int, stop: Stop
) -> list[sft.ImitationSequence]:
    """A few demonstrations without mistakes to judge the imitation by."""
    sequences: list[sft.ImitationSequence] = []
    with closing(demonstrate(pool, panel.tasks, seed=seed, mistakes=0.0)) as shown:
        for demonstration in islice(shown, HELD_OUT):
            sequences += sft.tokenize(demonstration, renderer, observation_loss=0.0)
            if stop.asked:
                break
    return sequences


def _remark(tally: Tally) -> str:
    """How many won, where not all did."""
    return f"{tally.won} won" if tally.won < tally.played else ""

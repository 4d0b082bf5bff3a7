"""From demonstrations to a warm-started policy, and the record of how."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from agentgym.demonstrate import Demonstration, demonstrate
from agentgym.errors import EnvError
from agentgym.panel import Panel
from agentgym.render import Renderer
from agentgym.rollout import derive_seed
from agentgym.trainers import sft, tiny
from agentgym.trainers.build import Panels, make_renderer
from agentgym.trainers.config import Recipe, WarmStartConfig
from agentgym.trainers.policy import Policy
from agentgym.trainers.progress import phase, say
from agentgym.trainers.world import World

TEXT_TASKS = 400
"""Train tasks whose demonstrations the tokenizer of `tiny` is built from."""
HELD_OUT = 60
"""Demonstrations on the eval panel for the held-out loss; nobody trains on them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStartRecord:
    """What the warm start was, for the report."""

    demonstrations: int
    mistakes: float
    updates: int
    tokens_per_episode: float
    curve: tuple[sft.CurvePoint, ...]


def build_model(recipe: Recipe, panel: Panel, folder: Path) -> None:
    """Build the small model and its tokenizer from the text of the train panel alone."""
    demonstrations = demonstrate(
        recipe.env.id,
        panel.head(TEXT_TASKS).tasks,
        seed=derive_seed(recipe.seed, "text"),
        mistakes=0.2,
        max_turns=recipe.env.max_turns,
    )
    tokenizer = tiny.build_tokenizer([text for d in demonstrations for text in _texts(d)])
    model = tiny.build_model(
        tokenizer,
        hidden=recipe.model.hidden,
        layers=recipe.model.layers,
        context=recipe.model.context,
        seed=recipe.seed,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    count = sum(parameter.numel() for parameter in model.parameters())
    say(f"tiny: {count / 1e6:.2f} M parameters, {len(tokenizer)} tokens")


def _texts(demonstration: Demonstration) -> list[str]:
    turns = demonstration.turns
    said = [demonstration.first.text]
    return said + [text for t in turns for text in (t.action, t.observation.text)]


def imitate(
    world: World,
    recipe: Recipe,
    panels: Panels,
    *,
    policy: Policy,
    config: WarmStartConfig,
    title: str = "warm start",
) -> WarmStartRecord:
    """Collect demonstrations and train on them; every process does its share.

    Args:
        title: what this imitation is; other titles get other demonstrations.
    """
    renderer = make_renderer(recipe, policy)
    seed = derive_seed(recipe.seed, title, world.rank)
    sequences = _collect(
        world, recipe, panels.train, config=config, renderer=renderer, seed=seed
    )
    held_out = _held_out(recipe, panels.eval, renderer) if world.leads else []
    with phase(title, total=config.updates, shown=world.leads) as advance:
        curve = sft.warm_start(
            policy,
            sequences,
            held_out,
            config,
            world=world,
            seed=seed,
            micro_batch_tokens=recipe.train.micro_batch_tokens,
            report=lambda update, loss: advance(update, f"loss {loss:.3f}"),
        )
    lengths = [len(sequence.ids) for sequence in sequences]
    total = world.sum_floats({"count": float(len(lengths)), "tokens": float(sum(lengths))})
    return WarmStartRecord(
        demonstrations=int(total["count"]),
        mistakes=config.mistakes,
        updates=config.updates,
        tokens_per_episode=total["tokens"] / total["count"],
        curve=tuple(curve),
    )


def _collect(
    world: World,
    recipe: Recipe,
    panel: Panel,
    *,
    config: WarmStartConfig,
    renderer: Renderer,
    seed: int,
) -> list[sft.ImitationSequence]:
    """This process's share of the demonstrations, as tokens.

    Raises:
        EnvError: there is none.
    """
    tasks = [panel.tasks[i % len(panel)] for i in range(config.demonstrations)]
    mine = world.share(tasks)
    demonstrations = demonstrate(
        recipe.env.id,
        mine,
        seed=seed,
        mistakes=config.mistakes,
        max_turns=recipe.env.max_turns,
    )
    sequences: list[sft.ImitationSequence] = []
    with phase("demonstrations", total=len(mine), shown=world.leads) as advance:
        for count, demonstration in enumerate(demonstrations, start=1):
            sequences += sft.tokenize(
                demonstration, renderer, observation_loss=config.observation_loss
            )
            advance(count, "")
    if not sequences:
        raise EnvError(f"'{recipe.env.id}': no demonstration of {len(mine)} ended in success")
    return sequences


def _held_out(recipe: Recipe, panel: Panel, renderer: Renderer) -> list[sft.ImitationSequence]:
    demonstrations = demonstrate(
        recipe.env.id,
        panel.tasks,
        seed=derive_seed(recipe.seed, "held out"),
        mistakes=0.0,
        max_turns=recipe.env.max_turns,
    )
    return [
        sequence
        for demonstration in islice(demonstrations, HELD_OUT)
        for sequence in sft.tokenize(demonstration, renderer, observation_loss=0.0)
    ]

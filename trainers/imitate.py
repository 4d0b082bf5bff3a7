"""From demonstrations to a warm-started policy, and the record of how."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from agentgym.demonstrate import Demonstration, demonstrate
from agentgym.errors import EnvError
from agentgym.panel import Panel
from agentgym.render import ByteTemplate, Renderer
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

    def summary(self) -> str:
        """One line for people."""
        losses = " ".join(f"{point.held_out_loss:.2f}" for point in self.curve)
        return (
            f"warm start: {self.demonstrations} demonstrations, {self.mistakes:.0%} mistakes, "
            f"{self.updates} updates; held-out loss {losses}"
        )


def build_model(recipe: Recipe, panel: Panel, folder: Path) -> None:
    """Build the small model and its tokenizer from the text of the train panel alone."""
    demonstrations = demonstrate(
        recipe.env.id,
        panel.head(TEXT_TASKS).tasks,
        seed=derive_seed(recipe.seed, "text"),
        mistakes=0.2,
        max_turns=recipe.env.max_turns,
        args=recipe.env.args,
    )
    reader = Renderer(ByteTemplate(), show_choices=recipe.render.show_choices)
    tokenizer = tiny.build_tokenizer(
        [text for demonstration in demonstrations for text in _texts(demonstration, reader)]
    )
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
    config: WarmStartConfig,
    title: str = "warm start",
) -> WarmStartRecord:
    """Collect demonstrations and train on them; every process does its share.

    Args:
        title: what this imitation is; other titles get other demonstrations.
    """
    renderer = make_renderer(recipe, policy)
    seed = derive_seed(recipe.seed, title, world.rank)
    sequences, count = _collect(
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
    num_tokens = sum(len(sequence.ids) for sequence in sequences)
    total = world.sum_floats({"count": float(count), "tokens": float(num_tokens)})
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
) -> tuple[list[sft.ImitationSequence], int]:
    """This process's share of the demonstrations as tokens, and how many they are.

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
        args=recipe.env.args,
    )
    sequences: list[sft.ImitationSequence] = []
    count = 0
    with phase("demonstrations", total=len(mine), shown=world.leads) as advance:
        for count, demonstration in enumerate(demonstrations, start=1):
            sequences += sft.tokenize(
                demonstration, renderer, observation_loss=config.observation_loss
            )
            advance(count, "")
    if not sequences:
        raise EnvError(f"'{recipe.env.id}': no demonstration of {len(mine)} ended in success")
    return sequences, count


def _held_out(recipe: Recipe, panel: Panel, renderer: Renderer) -> list[sft.ImitationSequence]:
    demonstrations = demonstrate(
        recipe.env.id,
        panel.tasks,
        seed=derive_seed(recipe.seed, "held out"),
        mistakes=0.0,
        max_turns=recipe.env.max_turns,
        args=recipe.env.args,
    )
    return [
        sequence
        for demonstration in islice(demonstrations, HELD_OUT)
        for sequence in sft.tokenize(demonstration, renderer, observation_loss=0.0)
    ]

"""How people ask for a product: one goal in a great many ways."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from agentgym.envs.webshop.kinds import Kind
from agentgym.envs.webshop.traits import TRAITS

OPENERS = (
    "i am looking for", "i'm looking for", "i need", "i would like", "i want to buy", "find me",
    "can you find me", "please find", "show me", "help me find", "looking for", "i want",
    "i'd like to order", "get me", "i am shopping for", "my sister asked for", "we need",
    "could you get me", "where can i buy", "i am trying to find",
)  # fmt: skip
WAYS: Mapping[str, tuple[str, ...]] = {
    "color": ("in {}", "in the color {}", "that comes in {}", "in {} color"),
    "size": ("in size {}", "in a size {}", "size {}", "and my size is {}"),
    "shoe size": ("in size {}", "in a size {}", "size {}", "and my shoe size is {}"),
    "volume": ("in the {} size", "that holds {}", "{}"),
    "scent": ("with {} scent", "in {}", "that smells of {}", "in the {} scent"),
    "flavor": ("in {} flavor", "with {} flavor", "that tastes of {}", "in {}"),
    "pack": ("in a {}", "{}", "as a {}"),
    "weight": ("that weighs {}", "in the {} size", "{}"),
    "capacity": ("with {}", "with {} of space", "that holds {}"),
    "length": ("that is {} long", "of {}", "{} in length"),
    "model": ("for my {}", "for {}", "that fits a {}"),
    "dimensions": ("in {}", "that measures {}", "of {}"),
    "style": ("in {} style", "in a {} style", "with a {} look"),
}
"""Option group -> how a value of it is asked for."""


def word_instruction(
    kind: Kind, traits: Sequence[str], options: Mapping[str, str], generator: random.Random
) -> str:
    """An instruction without its price clause.

    Args:
        traits: names of attributes.
        options: name -> value.
    """
    front: list[str] = []
    behind: list[str] = []
    for trait in (TRAITS[name] for name in traits):
        if trait.front and generator.random() < 0.5:
            front.append(generator.choice(trait.front))
        else:
            behind.append(generator.choice(trait.behind))
    choices = [generator.choice(WAYS[name]).format(value) for name, value in options.items()]
    tail = (
        [*choices, *_linked(behind)] if generator.random() < 0.5 else [*_linked(behind), *choices]
    )
    thing = ", ".join(front) + (" " if front else "") + kind.noun
    if not kind.is_plural:
        thing = f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"
    return " ".join([generator.choice(OPENERS), thing, *tail])


def _linked(clauses: list[str]) -> list[str]:
    """All but the first begin with "and"."""
    return [clause if place == 0 else f"and {clause}" for place, clause in enumerate(clauses)]

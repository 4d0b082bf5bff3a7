"""What can be read off a page by someone who knows shops: instructions, results, items."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape

from agentgym.envs.webshop.kinds import KINDS, OPTION_VALUES
from agentgym.envs.webshop.pages import BUY, PREVIOUS
from agentgym.envs.webshop.traits import TRAITS
from agentgym.types import Observation

LIMIT = re.compile(r", and price lower than ([\d.]+) dollars$")
MARKS = re.compile(r"\[(?:clicked )?button_?\]")
BETWEEN_TAGS = re.compile(r">([^<]+)<")
RESULTS = re.compile(r"Page \d+ \(Total results: \d+\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an instruction asks for, as far as it was understood."""

    noun: str
    traits: tuple[str, ...]
    options: Mapping[str, str]
    """Group -> value."""
    limit: float

    @property
    def query(self) -> str:
        """What to search for."""
        return " ".join((self.noun, *self.traits, *self.options.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One line of a page of results."""

    asin: str
    title: str
    price: float
    """The lowest."""


def read_texts(observation: Observation) -> list[str]:
    """The texts of a page, in any mode."""
    text = observation.text
    if text.startswith("<!DOCTYPE html>"):
        return [unescape(each).strip() for each in BETWEEN_TAGS.findall(text) if each.strip()]
    if " [SEP] " in text:
        return text.split(" [SEP] ")
    return [line.strip() for line in MARKS.sub("", text).split("\n") if line.strip()]


def read_wish(observation: Observation) -> Wish:
    """The instruction of any page."""
    texts = [each.strip() for each in read_texts(observation)]
    asked = texts[texts.index("Instruction:") + 1]
    found = LIMIT.search(asked)
    rest = LIMIT.sub("", asked)
    nouns = [kind for kind in KINDS if re.search(rf"\b{kind.noun}\b", rest)]
    kind = max(nouns, key=lambda kind: len(kind.noun), default=None)
    if kind is None:
        return Wish(noun=rest, traits=(), options={}, limit=_price(found))
    rest = rest.replace(kind.noun, ",")
    traits = []
    for name in kind.traits:
        ways = sorted((*TRAITS[name].front, *TRAITS[name].behind), key=len, reverse=True)
        said = next((way for way in ways if way in rest), None)
        if said is not None:
            traits.append(name)
            rest = rest.replace(said, ",")
    options = {}
    for group in kind.options:
        for value in sorted(OPTION_VALUES[group], key=len, reverse=True):
            if group not in options and re.search(rf"(?<![\w.-]){value}(?![\w.-])", rest):
                options[group] = value
                rest = rest.replace(value, ",")
    return Wish(noun=kind.noun, traits=tuple(traits), options=options, limit=_price(found))


def _price(found: re.Match[str] | None) -> float:
    return float(found[1]) if found else float("inf")


def read_offers(observation: Observation) -> list[Offer]:
    """The offers on a page of results; none on any other page."""
    texts = read_texts(observation)
    if not any(RESULTS.fullmatch(text) for text in texts):
        return []
    choices = set(observation.choices or ())
    offers = []
    for place, text in enumerate(texts[:-2]):
        if text.isupper() and f"click[{text.lower()}]" in choices:
            price = float(texts[place + 2].removeprefix("$").partition(" ")[0])
            offers.append(Offer(asin=text, title=texts[place + 1], price=price))
    return offers


def read_options(observation: Observation) -> dict[str, tuple[str, ...]] | None:
    """The options of an item page; None on any other page."""
    texts = read_texts(observation)
    if BUY not in texts:
        return None
    choices = set(observation.choices or ())
    options: dict[str, tuple[str, ...]] = {}
    group = ""
    for text in texts[texts.index(PREVIOUS) + 1 :]:
        if text.startswith("Price: "):
            break
        if f"click[{text}]" in choices:
            options[group] = (*options.get(group, ()), text)
        else:
            group = text
    return options

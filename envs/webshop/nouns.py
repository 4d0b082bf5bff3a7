"""The nouns of a product title, by lists and by what stands around a word: the same everywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path

from agentgym.registry import load

PART = re.compile(r"[^\W_]+(?:[.'\u2019][^\W_]+)*\.?|[^\w\s]")
"""A word or a mark; a hyphen and a slash separate words."""
POSSESSIVE = re.compile(r"['\u2019]s$", re.IGNORECASE)
WEIGHTS = Path(__file__).with_name("noun_weights.json")
"""Word -> neighbour -> weight, for words that with a capital are now part of a name and now not.

Learned from spaCy's tags of generated titles: `python -m tests.benchmarks.noun_weights`. A word
without weights ("c", "friendly") always counts with a capital; by the lists it never would.
"""
REACH = (-2, -1, 1, 2)
"""Which neighbours are looked at."""

FUNCTION_WORDS = frozenset(
    """a an the this that these those each every all any some no not only both other another more
    most less least such same own
    i you he she it we they me him her us them my your his its our their who whom whose which what
    about above across after against along among around as at before behind below beneath beside
    besides between beyond by despite down during except for from in inside into like near of on
    onto out outside over past per plus since than through throughout to toward towards under
    until up upon via vs w with within without
    and or nor but so yet if because while where when whether though although then thus
    am is are was were be been being do does did done have has had can could may might must shall
    should will would let lets
    mens womens very too also just even ever never always here there now again once how why
    etc""".split()
)
ADJECTIVES = frozenset(
    """adult adjustable advanced aged ancient antique authentic bare basic best better big bold
    bright brown casual cheap clean clear classic cold comfy complete cool cordless cozy crisp
    cruelty curved custom cute daily damaged dark decorative deep delicious different disposable
    double dry dual durable early easy elastic electric electronic elegant empty enhanced entire
    essential excellent extra fair faux fast final fine firm fit flat flexible floral formal
    free fresh fluffy full fun funny general gentle genuine good great half handmade happy hard
    healthy heavy hidden high hot huge ideal indoor inner instant intense keto kosher large last
    late lazy lean left light lightweight little long loose lovely low luxury magic main many
    matte mature medium mild mini mixed modern moist multi natural new nice non odd old one open
    opaque organic original outdoor outer off oval oversized perfect personal plain plump
    polished poor popular portable powerful premium pretty pro professional proof pure quality
    quick quiet random rare raw ready real refillable regular relaxed remote replacement
    resistant retro rich right ripe rough round rustic safe salty sexy sharp sheer shiny short
    silent simple single skinny sleek slim slip slow small smart smooth soft solid special spicy
    square stainless standard steady stiff straight strong sturdy stylish super sweet tall tart
    thick thin tight tiny top tough traditional trendy tropical true twin ultra unique universal
    unscented unsweetened upper useful usual vegan vintage warm washable waterproof weird wet
    whole wide wild wireless wooden yellow young black blue gray green grey orange pink purple
    red white beige listed included compatible upgraded improved inspired shaped sized scented
    flavored 2d 3d hd uhd""".split()
)
VERBS = frozenset(
    """add apply build buy carry clean cook cut enjoy fits get give go hold keep make made offer
    protect provide reduce remove set shop support use used using want wear work works""".split()
)
ADJECTIVE_ENDINGS = (
    "able", "ible", "ful", "less", "ous", "proof", "resistant", "ish", "ical", "ern", "est",
    "free", "like",
)  # fmt: skip
NOUNS_ANYHOW = frozenset(
    """table cable vegetable collectible crucible assembly belly butterfly curly family fly italy
    jelly jolly lily supply chest forest harvest nest vest quest rest test west pattern lantern
    dish fish finish polish radish relish brush squash mouthful handful spoonful wish""".split()
)
"""What an ending would take for adjectives and adverbs."""


@cache
def open_nouns(name: str) -> Callable[[str], Sequence[str]]:
    """What tells nouns by that name; opened once per process.

    Args:
        name: "lists" is `nouns` below, "spacy" its model en_core_web_sm (extra `spacy`),
            "spacy:MODEL" another one, and "module:function" one's own.

    Raises:
        UsageError: there is no such function or model, or a package is missing.
    """
    if name == "lists":
        return nouns
    source, _, model = name.partition(":")
    if source == "spacy":
        open_spacy = load("agentgym.envs.webshop.spacy_nouns:open_spacy")
        found: Callable[[str], Sequence[str]] = open_spacy(model or "en_core_web_sm")
    else:
        found = load(name)
    return found


@lru_cache(maxsize=100_000)
def nouns(title: str) -> tuple[str, ...]:
    """The nouns and names of a title in their order, in lower case, repeated ones each time.

    Whatever is no number, function word, adjective or verb is one, as most words of a title are.
    With a capital, adjectives and verbs are parts of a name, as titles are names: "Ultra HD". For
    some words with a capital their neighbours decide, as they do for spaCy: see `WEIGHTS`.

    >>> nouns("BRST Power Cord for 2 very durable Home Theaters, Ultra HD")
    ('brst', 'power', 'cord', 'home', 'theaters', 'ultra', 'hd')
    >>> nouns("Plug And Play Hdmi Cable"), nouns("Hdmi Cable - Plug And Play")
    (('plug', 'hdmi', 'cable'), ('hdmi', 'cable', 'plug'))
    >>> nouns("Hdmi Cable, Plug And Play, Gaming")
    ('hdmi', 'cable', 'plug', 'play', 'gaming')
    """
    parts = split_title(title)
    return tuple(part.lower() for place, part in enumerate(parts) if _counts(parts, place))


def split_title(title: str) -> tuple[str, ...]:
    """The words and marks of a title in their order; words without a last point or "'s".

    >>> split_title("St. John's Wort - 2pcs")
    ('St', 'John', 'Wort', '-', '2pcs')
    """
    parts = (POSSESSIVE.sub("", part) for part in PART.findall(title))
    return tuple(part if len(part) == 1 else part.rstrip(".") for part in parts)


def describe(parts: Sequence[str], place: int) -> tuple[str, ...]:
    """What weighs for a word: itself, and its neighbours by their distance; none beyond the ends.

    >>> describe(("Gluten", "Free", "-", "Vegan"), 1)
    ('', '-2 ', '-1 gluten', '+1 -', '+2 vegan')
    """
    around = ("", "", *parts, "", "")
    return ("", *(f"{step:+d} {around[2 + place + step].lower()}" for step in REACH))


def is_noun_by_lists(parts: Sequence[str], place: int) -> bool:
    """Whether the lists take a part for a noun."""
    last = next((part for part in reversed(parts[:place]) if part[0].isalnum()), "")
    return last.lower() != "to" and _is_noun(parts[place])  # "Easy To Clean"


def _counts(parts: Sequence[str], place: int) -> bool:
    weights = _load_weights().get(parts[place].lower()) if parts[place][0].isupper() else None
    if weights is None:
        return is_noun_by_lists(parts, place)
    return sum(weights.get(feature, 0) for feature in describe(parts, place)) >= 0


@cache
def _load_weights() -> Mapping[str, Mapping[str, int]]:
    found: Mapping[str, Mapping[str, int]] = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return found


def _is_noun(text: str) -> bool:
    word = text.lower()
    if word in NOUNS_ANYHOW:
        return True
    if not word[0].isalpha() or len(word) == 1 and word.isascii():
        return False  # "4k" and "2pcs" are counted as numbers
    if word in FUNCTION_WORDS or len(word) > 4 and word.endswith("ly"):
        return False
    if text[0].isupper():
        return True
    if word in ADJECTIVES or word in VERBS:
        return False
    return not (len(word) > 4 and word.endswith(ADJECTIVE_ENDINGS))

"""Two players: the insider, who knows what is wanted, and the shopper, who reads the pages."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from agentgym.envs.webshop.goal import Goal
from agentgym.envs.webshop.pages import BACK, BUY, NEXT, PER_PAGE, PREVIOUS
from agentgym.envs.webshop.prompt import read_action
from agentgym.envs.webshop.reading import (
    Offer,
    Wish,
    read_offers,
    read_options,
    read_texts,
    read_wish,
)
from agentgym.envs.webshop.session import Place, Session
from agentgym.envs.webshop.shop import NUM_HITS
from agentgym.types import Observation


def click(thing: str) -> str:
    """The action that clicks on it."""
    return f"click[{thing.lower()}]"


def open_(offer: Offer) -> str:
    """The action that opens it, its number as it stands on the page: so it is easier to copy."""
    return f"click[{offer.asin}]"


def find_insiders_action(session: Session, goal: Goal) -> str:
    """What buys the product that the goal was made for, from wherever a session is."""
    target = goal.product
    query = target.title.lower()
    if session.product is target:
        if session.place is Place.SUB:
            return click(PREVIOUS)
        for option in goal.options:
            name, value = _place_option(goal, option)
            if session.options.get(name) != value:
                return click(value)
        return click(BUY)
    if target.asin.lower() in session.page.clickables:
        return click(target.asin)
    is_found = session.place is Place.RESULTS and session.keywords == tuple(query.split(" "))
    if is_found and session.number < NUM_HITS // PER_PAGE:
        return click(NEXT)
    return f"search[{query}]"


def _place_option(goal: Goal, option: str | tuple[str, str]) -> tuple[str, str]:
    """The group and the value of a wanted option."""
    if not isinstance(option, str):
        return option
    groups = goal.product.options.items()
    return next(((name, option) for name, values in groups if option in values), ("", option))


@dataclass(slots=True)
class Note:
    """What a shopper knows of a product."""

    text: str
    """All that was read of it, in lower case."""
    options: dict[str, tuple[str, ...]] | None = None
    unread: list[str] = field(default_factory=lambda: ["features", "description"])


class Shopper:
    """Searches for what the instruction says and reads products until one has it all.

    It knows how people ask for things (`reading`), nothing of what the shop has; it acts on what
    it was shown.
    """

    def __init__(self, *, seed: int, max_turns: int = 15) -> None:
        """Start without a task; `reset` begins one.

        Args:
            seed: of its own generator, which `mistake` draws from.
            max_turns: when it must have bought something.
        """
        self._random = random.Random(seed)
        self._max_turns = max_turns

    def reset(self, first: Observation) -> None:
        """See `Demonstrator.reset`."""
        self._wish: Wish = read_wish(first)
        self._seen = first
        self._turns_left = self._max_turns
        self._notes: dict[str, Note] = {}
        self._here = ""
        """The product that is looked at."""
        self._chosen: set[str] = set()

    def observe(self, action: str, observation: Observation) -> None:
        """See `Demonstrator.observe`."""
        self._turns_left -= 1
        said = read_action(action)
        argument = said[1] if said and click(said[1]) in (self._seen.choices or ()) else ""
        for offer in read_offers(observation):
            self._notes.setdefault(offer.asin, Note(text=offer.title.lower()))
            self._here, self._chosen = "", set()
        if argument.upper() in self._notes:
            self._here = argument.upper()
        note = self._notes.get(self._here)
        if note is not None and argument:
            if argument in note.unread:
                note.unread.remove(argument)
                note.text += " " + " ".join(read_texts(observation)).lower()
            options = read_options(observation)
            if options is not None:
                note.options = options
                self._chosen -= set(next((v for v in options.values() if argument in v), ()))
                self._chosen.add(argument)
        self._seen = observation

    def act(self) -> str:
        """See `Demonstrator.act`."""
        note = self._notes.get(self._here)
        offers = read_offers(self._seen)
        if offers:
            return self._pick(offers)
        if note is None or note.options is None:
            return f"search[{self._wish.query}]"
        if click(BUY) not in (self._seen.choices or ()):
            return click(PREVIOUS)
        wanted = self._wanted_values(note)
        if self._turns_left > len(wanted) + 1:
            action = self._look_further(note)
            if action is not None:
                return action
        missing = [value for value in wanted if value not in self._chosen]
        return click(missing[0] if missing else BUY)

    def _wanted_values(self, note: Note) -> list[str]:
        """The values to choose here, of those that the product has."""
        groups = note.options or {}
        return [
            value for group, value in self._wish.options.items() if value in groups.get(group, ())
        ]

    def _worth(self, note: Note) -> int:
        """How many of the wishes a product is known to meet."""
        traits = sum(trait in note.text for trait in self._wish.traits)
        return traits + len(self._wanted_values(note))

    @property
    def _most(self) -> int:
        return len(self._wish.traits) + len(self._wish.options)

    def _look_further(self, note: Note) -> str | None:
        """What to read or where to go before buying this; None when this will do."""
        if self._worth(note) == self._most:
            return None
        spare = self._turns_left - len(self._wish.options) - 1
        lacks_option = len(self._wanted_values(note)) < len(self._wish.options)
        lacks_trait = any(trait not in note.text for trait in self._wish.traits)
        if lacks_trait and not lacks_option and note.unread and spare >= 2:
            return click(note.unread[0])
        return click(PREVIOUS) if spare >= 2 else None

    def _pick(self, offers: list[Offer]) -> str:
        """The offer to open: a new one while there is time, the best known one in the end."""
        fitting = [
            offer
            for offer in offers
            if offer.price <= self._wish.limit and self._wish.noun in offer.title.lower()
        ]
        new = [offer for offer in fitting if self._notes[offer.asin].options is None]
        known = [offer for offer in fitting if self._notes[offer.asin].options is not None]
        cost = len(self._wish.options) + 2
        if new and self._turns_left > cost + (1 if known else 0):
            return open_(new[0])
        if known:
            return open_(max(known, key=lambda offer: self._worth(self._notes[offer.asin])))
        if not fitting and self._turns_left > cost + 1:
            return click(NEXT)
        return open_((fitting or offers)[0])

    def mistake(self) -> str:
        """See `Demonstrator.mistake`: something else on the page, or half a search.

        Never a purchase: that would end the episode.
        """
        right = self.act()
        offers = {click(offer.asin): open_(offer) for offer in read_offers(self._seen)}
        shown = [offers.get(choice, choice) for choice in self._seen.choices or ()]
        choices = [action for action in shown if action not in (right, click(BUY), click(BACK))]
        if not choices:
            return (
                f"search[{self._wish.noun}]" if right != f"search[{self._wish.noun}]" else "search"
            )
        return self._random.choice(choices)

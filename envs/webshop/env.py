"""WebShop: buy what an instruction asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from agentgym.env import TurnEnv
from agentgym.envs.webshop.experts import Shopper, find_insiders_action
from agentgym.envs.webshop.goal import Goal
from agentgym.envs.webshop.markup import markup
from agentgym.envs.webshop.nouns import open_nouns
from agentgym.envs.webshop.official import (
    find_splits,
    get_folder,
    load_official,
    official_panel,
    open_official_shop,
)
from agentgym.envs.webshop.pages import Page
from agentgym.envs.webshop.prompt import SYSTEM_PROMPT, read_action
from agentgym.envs.webshop.reward import Grade, grade_purchase
from agentgym.envs.webshop.session import Place, Session
from agentgym.envs.webshop.shop import Engine, Shop, open_shop
from agentgym.envs.webshop.tasks import SPLITS, goal_of, load_panel
from agentgym.errors import UsageError
from agentgym.panel import Panel
from agentgym.types import Observation, Outcome, Parsed, Task

MODES: Mapping[str, Callable[[Page], str]] = {
    "text": lambda page: page.plain,
    "text_rich": lambda page: page.rich,
    "html": markup,
}
"""How a page is written."""


class WebShop(TurnEnv):
    """The pages and the reward of WebShop, in a generated shop or in that of a user's own files.

    A purchase ends the episode; the reward of that turn is its score, every other turn's is 0.
    Success is a score of 1. An action that means nothing shows the same page again.
    """

    system_prompt = SYSTEM_PROMPT
    expert_name: ClassVar[str | None] = "insider"
    generated: ClassVar[str] = "generated products and goals, not the published ones"

    def __init__(
        self,
        render_mode: str | None = None,
        *,
        shop: str | int = "small",
        mode: Literal["text", "text_rich", "html"] = "text",
        show_attributes: bool = False,
        engine: Engine = "bm25s",
        nouns: str = "lists",
        patience: int = 15,
    ) -> None:
        """Make the environment; the shop is opened at the first reset.

        Args:
            shop: of generated tasks: "small", "medium" or "large", or how many products.
            mode: how pages are written; see `pages.Page` and `markup`.
            show_attributes: whether products have a page with what graders look at.
            engine: what searches, "bm25s" or "tantivy" (extra `tantivy`); see `shop.Shop`.
            nouns: what tells the nouns of titles, which the reward compares; see `open_nouns`.
            patience: after how many turns the shopper, who demonstrates, means to have bought
                something; with few it takes what fits by its title, unread.

        Raises:
            UsageError: there is no such mode, or nothing that tells nouns by that name.
        """
        super().__init__(render_mode)
        if mode not in MODES:
            raise UsageError(f"mode must be one of {', '.join(MODES)}, not '{mode}'")
        self._size, self._write, self._show_attributes = shop, MODES[mode], show_attributes
        self._engine: Engine = engine
        self._nouns = open_nouns(nouns)
        self._patience = patience
        self._session: Session | None = None
        self._grade: Grade | None = None

    @classmethod
    def splits(cls) -> tuple[str, ...]:
        """The generated panels, and the official ones whose files are there."""
        return (*SPLITS, *find_splits())

    @classmethod
    def panel(cls, split: str) -> Panel:
        """A generated panel, or `official/...`: goals of a user's own copy of WebShop's files.

        Raises:
            UsageError: there is no such split, or its files are missing.
        """
        return official_panel(split) if split.startswith("official/") else load_panel(split)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin `options["task"]`, or the task of gen1/train that the seed picks.

        Raises:
            UsageError: the shop is too small for the task.
        """
        task = self.pick_task(seed, options)
        shop, self.goal = self._open(task)
        self._grade = None
        self._session = Session(
            shop,
            str(task.public["instruction"]),
            seed=task.id,
            show_attributes=self._show_attributes,
        )
        return self._observe(), {"task_id": task.id}

    def _open(self, task: Task) -> tuple[Shop, Goal]:
        """The shop to visit, and what to buy there."""
        if task.public.get("shop") != "official":
            shop = open_shop(self._size, self._engine)
            return shop, goal_of(task, shop.by_asin)
        folder = get_folder()
        official = load_official(folder)
        number = task.secret["goal"]
        assert isinstance(number, int)
        instruction = official.instructions[number] if number < len(official.instructions) else None
        if instruction is None or instruction.digest != task.secret["digest"]:
            raise UsageError(
                f"task '{task.id}' was made from other files than those that are there"
            )
        return open_official_shop(folder, self._engine), instruction.goal

    @property
    def session(self) -> Session:
        """The visit to the shop."""
        assert self._session is not None, "reset comes first"
        return self._session

    def parse(self, text: str) -> Parsed:
        """See `TurnEnv.parse`; invalid are "no_action" and "not_admissible"."""
        action = read_action(text)
        if action is None or action[0] not in ("search", "click"):
            return Parsed(invalid="no_action")
        name, argument = action
        clickable = argument in self.session.page.clickables and argument != "search"
        if name == "click" and not clickable:
            return Parsed(invalid="not_admissible")
        return Parsed(action=f"{name}[{argument}]")

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Carry out the action in a model's text.

        Raises:
            UsageError: something was bought already.
        """
        if self._grade is not None:
            raise UsageError("the episode is over; call reset")
        if self.parse(action).action is None:
            return self._observe(), 0.0, False, False, {}
        name, argument = read_action(action) or ("", "")
        session = self.session
        if name == "search":
            session.search(argument)
        else:
            session.click(argument)
        if session.place is not Place.DONE:
            return self._observe(), 0.0, False, False, {}
        self._grade = grade_purchase(session.bought, self.goal, session.options, nouns=self._nouns)
        session.show_end(self._grade.reward)
        return self._observe(), self._grade.reward, True, False, self._grade.info

    def _observe(self) -> Observation:
        session = self.session
        return Observation(
            text=self._write(session.page),
            choices=tuple(f"click[{each}]" for each in session.page.clickables if each != "search"),
            state=session.state,
        )

    def outcome(self) -> Outcome:
        """The purchase's score, 0 without one; success is a score of 1."""
        if self._grade is None:
            return Outcome(score=0.0, success=False)
        return Outcome(score=self._grade.reward, success=self._grade.success)

    def expert_action(self) -> str:
        """What buys the product that the task was made for; it knows which one that is."""
        return find_insiders_action(self.session, self.goal)

    def demonstrator(self, *, seed: int) -> Shopper:
        """The shopper, who sees what the model sees."""
        return Shopper(seed=seed, max_turns=self._patience)

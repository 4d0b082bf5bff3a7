"""The panels: which pages, under which seeds."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from agentgym.envs.webshop.env import WebShop
from agentgym.errors import unknown
from agentgym.panel import Panel
from agentgym.types import Task

KINDS: tuple[str, ...] = tuple(
    """
    click-button click-link enter-text click-checkboxes ascending-numbers bisect-angle
    book-flight book-flight-nodelay button-delay buy-ticket chase-circle choose-date
    choose-date-easy choose-date-medium choose-date-nodelay choose-list circle-center
    click-button-sequence click-checkboxes-large click-checkboxes-soft click-checkboxes-transfer
    click-collapsible click-collapsible-2 click-collapsible-2-nodelay click-collapsible-nodelay
    click-color click-dialog click-dialog-2 click-menu click-menu-2 click-option click-pie
    click-pie-nodelay click-scroll-list click-shades click-shape click-tab click-tab-2
    click-tab-2-easy click-tab-2-hard click-tab-2-medium click-test click-test-2
    click-test-transfer click-widget copy-paste copy-paste-2 count-shape count-sides
    daily-calendar drag-box drag-circle drag-cube drag-items drag-items-grid drag-shapes
    drag-shapes-2 drag-single-shape drag-sort-numbers draw-circle draw-line email-inbox
    email-inbox-delete email-inbox-forward email-inbox-forward-nl email-inbox-forward-nl-turk
    email-inbox-important email-inbox-nl-turk email-inbox-noscroll email-inbox-reply
    email-inbox-star-reply enter-date enter-password enter-text-2 enter-text-dynamic enter-time
    find-greatest find-midpoint find-word focus-text focus-text-2 form-sequence form-sequence-2
    form-sequence-3 generate-number grid-coordinate guess-number highlight-text highlight-text-2
    hot-cold hover-shape identify-shape login-user login-user-popup moving-items multi-layouts
    multi-orderings navigate-tree number-checkboxes odd-or-even order-food phone-book read-table
    read-table-2 resize-textarea right-angle scroll-text scroll-text-2 search-engine
    sign-agreement simon-says simple-algebra simple-arithmetic social-media social-media-all
    social-media-some stock-market terminal text-editor text-transform tic-tac-toe unicode-test
    use-autocomplete use-autocomplete-nodelay use-colorwheel use-colorwheel-2 use-slider
    use-slider-2 use-spinner visual-addition
    """.split()
)
"""All of MiniWoB's tasks, the simplest first."""
FEW = ("click-button", "click-link", "click-dialog-2", "enter-text", "navigate-tree", "phone-book")
"""What a small model can learn in minutes, on pages that answer quickly."""
SPLITS = {
    "gen1/train": (KINDS, range(8), 1),
    "gen1/unseen": (KINDS, range(1000, 1002), 1),
    "gen1/few": (FEW, range(2000, 3000), 20),
    "gen1/few-unseen": (FEW, range(3000, 3040), 20),
}
"""Split -> its kinds, the seeds of each, and how many tasks of a kind come one after the other: its
page is loaded once for them, which takes as long as an episode."""
SHOP_SPLITS = {"gen1/shop-train": "gen1/train", "gen1/shop-test": "gen1/test"}
"""Split -> that of WebShop whose tasks it has."""


@cache
def load_panel(split: str) -> Panel:
    """A split's tasks; of MiniWoB every kind under its first seeds, then under the next.

    Raises:
        UsageError: there is no such split.
    """
    if split in SHOP_SPLITS:
        shop = (_in_browser(task, split) for task in WebShop.panel(SHOP_SPLITS[split]))
        return Panel(name=split, env="agentgym/GUI-v0", tasks=tuple(shop))
    if split not in SPLITS:
        raise unknown("split", split, (*SPLITS, *SHOP_SPLITS))
    kinds, seeds, row = SPLITS[split]
    tasks = tuple(
        Task(
            id=f"{kind}-{seed}",
            split=split,
            seed=seed,
            public={"site": "miniwob", "type": kind},
        )
        for first in range(0, len(seeds), row)
        for kind in kinds
        for seed in seeds[first : first + row]
    )
    return Panel(name=split, env="agentgym/GUI-v0", tasks=tasks)


def _in_browser(task: Task, split: str) -> Task:
    return replace(task, split=split, public={**task.public, "site": "webshop", "type": "shop"})

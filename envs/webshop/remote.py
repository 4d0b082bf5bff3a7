"""WebShop on a server that the user runs: the original's web pages, asked over HTTP.

For `--env.id agentgym.envs.webshop.remote:WebShopServer --env.args.url http://127.0.0.1:3000`. The
server has the products, the goals and the reward; what its pages say is what the model reads.

Source: WebShop's web application: `/NAME_fixed_GOAL` begins a visit with the goal of that number,
and all else of a visit is in the addresses of its pages.
"""

from __future__ import annotations

import ast
import http.client
import math
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, ClassVar, Literal

from agentgym.env import TurnEnv
from agentgym.envs.webshop.foreign import ForeignPage, Way, read_page
from agentgym.envs.webshop.prompt import SYSTEM_PROMPT, read_action
from agentgym.errors import EnvError, UsageError, cut, unknown
from agentgym.panel import Panel
from agentgym.types import Observation, Outcome, Parsed, Task

SPLITS = {
    "server/test": range(500),
    "server/dev": range(500, 1500),
    "server/train": range(1500, 12087),
}
"""Split -> numbers of its goals: the conventional split of the goals that people wrote."""
CHUNK_BYTES = 1 << 16
MAX_PAGE_BYTES = 16 << 20
# No proxy stands between us and a server that the user names.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class WebShopServer(TurnEnv):
    """The visits of one environment to a server; a server that fails is not the agent's failure."""

    system_prompt = SYSTEM_PROMPT
    default_split: ClassVar[str] = "server/train"

    def __init__(
        self,
        render_mode: str | None = None,
        *,
        url: str = "http://127.0.0.1:3000",
        mode: Literal["text", "text_rich"] = "text",
        deadline_s: float = 30.0,
    ) -> None:
        """Make the environment; the server is first asked at a reset.

        Args:
            url: the server's address.
            mode: how pages are written; see `pages.Page`.
            deadline_s: how long a page may take. The first one of a server may take longer, as it
                reads its products then.

        Raises:
            UsageError: that is no such address, mode or time.
        """
        super().__init__(render_mode)
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"url must be http://HOST:PORT, or https, not '{url}'")
        if mode not in ("text", "text_rich"):
            raise UsageError(f"mode must be text or text_rich, not '{mode}'")
        if not deadline_s > 0:
            raise UsageError(f"deadline_s must be more than 0 seconds, not {deadline_s}")
        self._url, self._mode, self._deadline_s = url.rstrip("/"), mode, deadline_s
        self._page: ForeignPage | None = None
        self._address = ""
        self._score: float | None = None

    @classmethod
    def splits(cls) -> tuple[str, ...]:
        """The conventional ones."""
        return tuple(SPLITS)

    @classmethod
    def panel(cls, split: str) -> Panel:
        """The numbers of a split's goals; what they ask for, the server says.

        Raises:
            UsageError: there is no such split.
        """
        if split not in SPLITS:
            raise unknown("WebShop split", split, SPLITS)
        tasks = tuple(
            Task(id=f"{split}/{goal:05d}", split=split, seed=goal, public={"goal": goal})
            for goal in SPLITS[split]
        )
        return Panel(name=split, env=f"{cls.__module__}:{cls.__qualname__}", tasks=tasks)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a visit that the server does not know yet.

        Raises:
            EnvError: the server is dead, slow, or answers with an error.
        """
        task = self.pick_task(seed, options)
        self._home = f"{self._url}/{secrets.token_hex(8)}_fixed_{task.public['goal']}"
        self._address, self._score = "", None
        self._go(Way(address=self._home, is_post=False))
        return self._observe(), {"task_id": task.id}

    def parse(self, text: str) -> Parsed:
        """See `TurnEnv.parse`; invalid are "no_action" and "not_admissible"."""
        action = read_action(text)
        if action is None or action[0] not in ("search", "click"):
            return Parsed(invalid="no_action")
        name, argument = action
        if name == "click" and (argument == "search" or argument not in self._shown.ways):
            return Parsed(invalid="not_admissible")
        return Parsed(action=f"{name}[{argument}]")

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Carry out the action in a model's text.

        Raises:
            EnvError: the server is dead, slow, or answers with an error.
            UsageError: something was bought already.
        """
        if self._score is not None:
            raise UsageError("the episode is over; call reset")
        if self.parse(action).action is None:
            return self._observe(), 0.0, False, False, {}
        name, argument = read_action(action) or ("", "")
        if name == "search":
            self._go(Way(address=self._home, is_post=True), search_query=argument)
        else:
            self._go(self._shown.ways[argument])
        if self._shown.score is None:
            return self._observe(), 0.0, False, False, {}
        self._score = self._read_score(self._shown.score)
        return self._observe(), self._score, True, False, {}

    @property
    def _shown(self) -> ForeignPage:
        assert self._page is not None, "reset comes first"
        return self._page

    def _observe(self) -> Observation:
        page, ways = self._shown.page, self._shown.ways
        return Observation(
            text=page.plain if self._mode == "text" else page.rich,
            choices=tuple(f"click[{each}]" for each in ways if each != "search"),
            # An address has the search, the product and the options; a visit's name is its own.
            state=self._address.replace(self._home.rpartition("/")[2], ""),
        )

    def outcome(self) -> Outcome:
        """The purchase's score, 0 without one; success is a score of 1."""
        return Outcome(score=self._score or 0.0, success=self._score == 1.0)

    def _read_score(self, text: str) -> float:
        try:
            score = float(text)
        except ValueError:
            score = math.nan
        if not 0 <= score <= 1:
            raise self._error(f"a score must be from 0 to 1, not '{text}'")
        return score

    def _go(self, way: Way, **form: str) -> None:
        """Follow a way to the page that is shown next."""
        address = urllib.parse.urljoin(self._address or self._home, way.address)
        if not address.startswith(f"{self._url}/"):
            raise self._error(f"leads away, to '{address}'")
        body = None
        if way.is_post:
            body = urllib.parse.urlencode(form, errors="replace").encode()
        try:
            text = self._ask(urllib.request.Request(address, data=body))
        except urllib.error.HTTPError as error:
            raise self._error(f"status {error.code} for '{address}'") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._error(f"{type(error).__name__}: {error}") from error
        self._page = read_page(text, _read_options(self._address))

    def _ask(self, request: urllib.request.Request) -> str:
        """The page there, or where the server sends us.

        Raises:
            TimeoutError: the deadline passed; each read is bounded, and so is their sum.
        """
        end = time.monotonic() + self._deadline_s
        with _open(request, timeout=self._deadline_s) as response:
            self._address = response.geturl()
            received = b""
            while chunk := response.read1(CHUNK_BYTES):
                received += chunk
                if time.monotonic() > end or len(received) > MAX_PAGE_BYTES:
                    raise TimeoutError(f"no whole page within {self._deadline_s:g} s")
        return received.decode("utf-8", "replace")

    def _error(self, what: str) -> EnvError:
        return EnvError(cut(f"WebShop server {self._url}: {what}"))


def _read_options(address: str) -> dict[str, str]:
    """The options at the end of an item's address, which WebShop writes as Python does."""
    last = urllib.parse.unquote(urllib.parse.urlsplit(address).path.rpartition("/")[2])
    try:
        options = ast.literal_eval(last)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return {}
    return options if isinstance(options, dict) else {}

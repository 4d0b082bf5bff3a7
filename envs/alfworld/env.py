"""ALFWorld: household tasks in text."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from agentgym.env import TurnEnv
from agentgym.envs.alfworld.engine import NOTHING, Game, NativeGame
from agentgym.envs.alfworld.experts import Explorer, Planner
from agentgym.envs.alfworld.house import Goal, House
from agentgym.envs.alfworld.prompt import SYSTEM_PROMPT, read_command
from agentgym.envs.alfworld.reading import Doings
from agentgym.envs.alfworld.tasks import SIZES, load_panel
from agentgym.errors import UsageError
from agentgym.panel import Panel
from agentgym.types import Observation, Outcome, Parsed, Task, normalize_text

OFF_ORDER, IDLE = 0.10, 0.03
"""How often a demonstration searches off order, and idles: variety for its imitator."""


REAL_ENV_ID = "agentgym/ALFWorldTextWorld-v0"
"""The environment that plays published game files."""


class ALFWorld(TurnEnv):
    """One room, six kinds of household task, in our own engine of the game's rules.

    A turn's reward is 1 when it wins the game, else 0. A command that does nothing is recorded as
    invalid and answered by the game's own "Nothing happens.".
    """

    system_prompt = SYSTEM_PROMPT
    expert_name: ClassVar[str | None] = "planner"
    generated: ClassVar[str] = "generated houses, not the published games"

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self._game: Game | None = None
        self._doings = Doings()

    @classmethod
    def panel(cls, split: str) -> Panel:
        """A generated panel, or `official/...`: a user's own copy of the published games.

        Raises:
            UsageError: there is no such split.
        """
        if split.startswith("official/"):
            from agentgym.envs.alfworld.games import official_panel

            return official_panel(split)
        return load_panel(split)

    @classmethod
    def splits(cls) -> tuple[str, ...]:
        """The generated panels."""
        return tuple(SIZES)

    def start(self, task: Task) -> Game:
        """The task's game at its beginning.

        Raises:
            UsageError: the task is a published game file, which only the original engine plays.
        """
        if "house" not in task.public:
            raise UsageError(f"task '{task.id}' is a game file: play it in {REAL_ENV_ID}")
        public: Any = task.public
        return NativeGame(House.from_json(public["house"]), Goal.from_json(public["goal"]))

    @property
    def game(self) -> Game:
        """The game being played."""
        assert self._game is not None, "reset comes first"
        return self._game

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin `options["task"]`, or the task of gen1/train that the seed picks."""
        task = self.pick_task(seed, options)
        self._game, self._doings = self.start(task), Doings()
        return self._observe(self._game.intro), {"task_id": task.id}

    def parse(self, text: str) -> Parsed:
        """See `TurnEnv.parse`; invalid are "no_action" and "not_admissible"."""
        command = read_command(text)
        if not command:
            return Parsed(invalid="no_action")
        if command not in self.game.admissible:
            return Parsed(invalid="not_admissible")
        return Parsed(action=command)

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Carry out the command in a model's text.

        Raises:
            UsageError: the game is won already.
        """
        if self.game.won:
            raise UsageError("the episode is over; call reset")
        command = self.parse(action).action
        text = NOTHING if command is None else self.game.step(command)
        self._doings.read(text)
        won = self.game.won
        return self._observe(text), float(won), won, False, {}

    def _observe(self, text: str) -> Observation:
        commands = self.game.admissible
        # Commands tell the open from the shut and what lies here; in full they would be long.
        visible = hashlib.blake2s("\n".join(commands).encode(), digest_size=6).hexdigest()
        state = f"{normalize_text(text)} [{self._doings}; {visible}]"
        return Observation(text=text, choices=commands, state=state)

    def outcome(self) -> Outcome:
        """Score 1 for a won game, else 0."""
        return Outcome(score=float(self.game.won), success=self.game.won)

    def expert_action(self) -> str:
        """What the planner would do now; it sees the whole house.

        Raises:
            NotImplementedError: the game runs in the original engine.
        """
        if not isinstance(self._game, NativeGame):
            raise NotImplementedError("the planner plays our own engine only")
        return Planner(self._game).act()

    def demonstrator(self, *, seed: int) -> Explorer:
        """The explorer, which sees what the model sees."""
        return Explorer(seed=seed, off_order=OFF_ORDER, idle=IDLE)

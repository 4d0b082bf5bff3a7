"""ALFWorld in the original engine (extra `alfworld`): for published games, and to check ours.

Play it through the process pool: a game takes half a second to set up and some 5 ms a turn, and
every engine loads its own copy of a C library, for good (once unloaded, it crashes at exit).
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any, ClassVar

from agentgym.envs.alfworld.env import ALFWorld
from agentgym.envs.alfworld.games import find_splits, read_game
from agentgym.envs.alfworld.house import Goal, House
from agentgym.envs.alfworld.pddl import ORIGINAL, write_game
from agentgym.envs.alfworld.prompt import read_command
from agentgym.errors import EnvError
from agentgym.registry import needs_extra
from agentgym.types import Task


@cache
def quicken_engine() -> None:
    """Let the installed package do its work once per process, not at every use: the same answers.

    It parses each text of a grammar at every sentence, copies all that a sentence knows, to the
    last letter, at every symbol, and translates a problem four times to begin a game. This
    replaces a handful of the package's functions by ones that remember or copy less.
    """
    import fast_downward
    from textworld.envs.pddl import logic, textgen
    from textworld.logic import Rule

    def copy_symbols(value: Any) -> Any:
        # Symbols are annotated when used. What a variable stands for is never changed.
        if isinstance(value, list):
            return [copy_symbols(each) for each in value]
        copied = copy.copy(value)
        if isinstance(value, textgen.Symbol):
            for name, inner in vars(value).items():
                if isinstance(inner, textgen.Symbol):
                    setattr(copied, name, copy_symbols(inner))
        return copied

    parse = cache(textgen._parse_and_convert)
    textgen._parse_and_convert = lambda *args, **kwargs: copy_symbols(parse(*args, **kwargs))
    textgen.deepcopy = copy_symbols
    Rule.parse_conjunctive_query = staticmethod(cache(Rule.parse_conjunctive_query))
    logic._parse_and_convert = lru_cache(maxsize=4)(logic._parse_and_convert)
    fast_downward.pddl2sas = lru_cache(maxsize=32)(fast_downward.pddl2sas)


@contextmanager
def _own_argv() -> Iterator[None]:
    """Give the program its arguments back: the engine's translator replaces them by its own."""
    argv = sys.argv
    try:
        yield
    finally:
        sys.argv = argv


class TextWorldEngine:
    """The installed engine; it plays one game at a time, and starting one ends the last.

    Raises:
        UsageError: the engine is not installed.
    """

    def __init__(self) -> None:
        with needs_extra("alfworld", ORIGINAL):
            import textworld
            from alfworld.agents.environment.alfred_tw_env import AlfredDemangler
            from textworld.envs.pddl import PddlEnv

            infos = textworld.EnvInfos(won=True, admissible_commands=True)
            self._env = AlfredDemangler(PddlEnv(infos))

    def begin(self, game: Mapping[str, Any]) -> Any:
        """Set up a game, the content of a `game.tw-pddl`; returns the engine's first state.

        Raises:
            EnvError: the engine cannot read the game.
        """
        with _own_argv():
            try:
                self._env.load(game)
                return self._env.reset()
            except SystemExit as cause:  # how its translator answers a malformed problem
                raise EnvError(f"the engine cannot read the game: {cause}") from cause

    def act(self, command: str) -> Any:
        """Carry out a command; returns the engine's next state."""
        state, _, _ = self._env.step(command)
        return state


class TextWorldGame:
    """An episode in the original engine: see `engine.Game`.

    Commands are shown and taken in the current grammar; games published earlier say
    "put X in/on Y" for "move X to Y".
    """

    def __init__(self, engine: TextWorldEngine, game: Mapping[str, Any]) -> None:
        self._engine = engine
        self.score = 0
        """What the engine says: 1 while the goal holds, else 0."""
        self.intro = self._read(engine.begin(game))

    def step(self, command: str) -> str:
        """See `Game.step`."""
        state = self._engine.act(self._commands.get(command, command))
        self.score = state["score"]
        return self._read(state)

    def _read(self, state: Any) -> str:
        self._commands = {read_command(theirs): theirs for theirs in state["admissible_commands"]}
        self.admissible = tuple(sorted(self._commands))
        self.won = bool(state["won"])
        feedback: str = state["feedback"]
        return feedback


class TextWorldALFWorld(ALFWorld):
    """ALFWorld in the original engine; plays the generated panels and a user's own published games.

    Raises:
        UsageError: the engine is not installed.
    """

    expert_name: ClassVar[str | None] = None
    needs: ClassVar[str | None] = "extra alfworld"

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self._engine = TextWorldEngine()
        quicken_engine()

    @classmethod
    def splits(cls) -> tuple[str, ...]:
        """The generated panels, and those published ones whose files are there."""
        return super().splits() + find_splits()

    def start(self, task: Task) -> TextWorldGame:
        """The task's game at its beginning.

        Raises:
            UsageError: the task's game file is missing or has changed.
            EnvError: the engine cannot read it.
        """
        public: Any = task.public
        if "game" in public:
            game = read_game(public["game"], sha256=public["sha256"])
        else:
            game = write_game(House.from_json(public["house"]), Goal.from_json(public["goal"]))
        return TextWorldGame(self._engine, game)

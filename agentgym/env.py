"""TurnEnv: a Gymnasium environment that speaks in turns, and its registration."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

import gymnasium
from gymnasium.envs.registration import EnvSpec

from agentgym.errors import UsageError, boundary, unknown
from agentgym.panel import Panel
from agentgym.registry import load
from agentgym.spaces import ObservationSpace, UnicodeText
from agentgym.types import Observation, Outcome, Parsed, Task

BUILTIN = {
    "agentgym/Corridor-v0": ("agentgym.envs.toys.corridor:Corridor", 12),
    "agentgym/Lookup-v0": ("agentgym.envs.toys.lookup:Lookup", 6),
    "agentgym/Box-v0": ("agentgym.envs.toys.box:Box", 6),
    "agentgym/ALFWorld-v0": ("agentgym.envs.alfworld.env:ALFWorld", 50),
    "agentgym/ALFWorldTextWorld-v0": (
        "agentgym.envs.alfworld.textworld:TextWorldALFWorld",
        50,
    ),
    "agentgym/Search-v0": ("agentgym.envs.search.env:Search", 8),
    "agentgym/SWE-v0": ("agentgym.envs.swe.env:SWE", 30),
    "agentgym/WebShop-v0": ("agentgym.envs.webshop.env:WebShop", 15),
    "agentgym/GUI-v0": ("agentgym.envs.gui.env:GUI", 30),
    "agentgym/BrowserGym-v0": ("agentgym.envs.browsergym.env:BrowserGym", 10),
}
"""Id -> where the class lives, and the turn limit. Imported when first made."""


_registered: set[str] = set()
"""What `register` added: Gymnasium's registry also holds environments that take no turns."""


class Demonstrator(Protocol):
    """A player whose episodes a model may imitate; it sees what the model sees."""

    def reset(self, first: Observation) -> None:
        """A new episode begins."""
        ...

    def act(self) -> str:
        """The next action."""
        ...

    def mistake(self) -> str | None:
        """A plausible wrong action for now; None where there is none, and `act` is asked."""
        ...

    def observe(self, action: str, observation: Observation) -> None:
        """The answer to an action, its own or a mistake."""
        ...


class TurnEnv(gymnasium.Env[Observation, str]):
    """A synchronous environment whose actions and observations are text.

    `reset(options={"task": task})` starts that task; without one, the seed picks a task of the
    default panel. `step` takes whatever the model wrote: every string is a legal action, and one
    that means nothing is answered by an observation that says so.
    """

    system_prompt: str = ""
    """The rules and the action grammar, for the model."""
    default_split: ClassVar[str] = "gen1/train"
    generated: ClassVar[str] = "generated tasks, not published ones"
    """What reports say beside figures on `gen...` panels."""
    expert_name: ClassVar[str | None] = None
    """How `expert_action` plays, in a word; None where there is no expert."""
    needs: ClassVar[str | None] = None
    """What must be there beside the package itself, in a few words; None is nothing."""

    metadata: dict[str, Any] = {"render_modes": [], "render_fps": 1}

    def __init__(self, render_mode: str | None = None) -> None:
        self.observation_space = ObservationSpace()
        self.action_space = UnicodeText()
        self.render_mode = render_mode

    @classmethod
    def panel(cls, split: str) -> Panel:
        """The tasks of a split.

        Raises:
            UsageError: there is no such split.
        """
        raise NotImplementedError(f"{cls.__name__} has no panel")

    @classmethod
    def splits(cls) -> tuple[str, ...]:
        """The names that `panel` takes."""
        return (cls.default_split,)

    @classmethod
    def checked_splits(cls) -> tuple[str, ...]:
        """Those whose tasks a check of the contract begins; by default all."""
        return cls.splits()

    def parse(self, text: str) -> Parsed:
        """What the environment, as it stands now, makes of a model's text. Changes nothing."""
        action = text.strip()
        return Parsed(action=action) if action else Parsed(invalid="empty")

    def outcome(self) -> Outcome:
        """Score and success of the episode; called once, after its end."""
        raise NotImplementedError(f"{type(self).__name__} has no outcome")

    def expert_action(self) -> str:
        """What a good player would do now; optional (see `expert_name`)."""
        raise NotImplementedError(f"{type(self).__name__} has no expert")

    def demonstrator(self, *, seed: int) -> Demonstrator:
        """The player to imitate in warm starts; by default `expert_action`, where there is one."""
        return ExpertDemonstrator(self, seed=seed)

    def pick_task(self, seed: int | None, options: dict[str, Any] | None) -> Task:
        """Seed the generator and return the task that `reset` was asked for.

        Raises:
            UsageError: `options["task"]` is no `Task`.
        """
        gymnasium.Env.reset(self, seed=seed)
        task = (options or {}).get("task")
        if task is None:
            tasks = type(self).panel(type(self).default_split).tasks
            return tasks[int(self.np_random.integers(len(tasks)))]
        if not isinstance(task, Task):
            raise UsageError(f"options['task'] must be a Task, not {type(task).__name__}")
        return task


class SeededEnv(TurnEnv):
    """A `TurnEnv` whose tasks are seeds and nothing else, so that it needs no panel of its own.

    `reset` calls `pick_task`, then draws its task from `self.np_random`. Where few tasks can be
    drawn, an unseen seed draws what training has seen.
    """

    seeds: ClassVar[Mapping[str, range]] = {
        "gen1/train": range(1000),
        "gen1/unseen": range(1000, 1100),
    }
    """The seeds of each split."""

    @classmethod
    def panel(cls, split: str) -> Panel:
        """One task a seed."""
        if split not in cls.seeds:
            raise unknown("split", split, cls.seeds)
        tasks = tuple(Task(id=str(seed), split=split, seed=seed) for seed in cls.seeds[split])
        # A script's class has one name, whoever asks: the panel's hash depends on it.
        name = find_name(cls) or f"{cls.__module__}:{cls.__qualname__}"
        return Panel(name=split, env=name, tasks=tasks)

    @classmethod
    def splits(cls) -> tuple[str, ...]:
        """The names of `seeds`."""
        return tuple(cls.seeds)


class ExpertDemonstrator:
    """Plays an environment's `expert_action`; its mistakes are other admissible actions."""

    def __init__(self, env: TurnEnv, *, seed: int) -> None:
        self._env = env
        self._random = random.Random(seed)
        self._choices: tuple[str, ...] = ()

    def reset(self, first: Observation) -> None:
        """See `Demonstrator.reset`."""
        self._choices = first.choices or ()

    def act(self) -> str:
        """See `Demonstrator.act`."""
        return self._env.expert_action()

    def mistake(self) -> str | None:
        """See `Demonstrator.mistake`; without choices there is none."""
        return self._random.choice(self._choices) if self._choices else None

    def observe(self, action: str, observation: Observation) -> None:
        """See `Demonstrator.observe`."""
        self._choices = observation.choices or ()


def register(env_id: str, entry_point: Any, *, max_turns: int) -> None:
    """Register an environment with Gymnasium under `namespace/Name-vN`.

    Args:
        entry_point: the class, or `"module:Class"`.
        max_turns: after so many turns the episode is truncated (Gymnasium's `TimeLimit`).

    Raises:
        UsageError: the id is taken.
    """
    if env_id in gymnasium.registry:
        raise UsageError(f"environment '{env_id}' is already registered")
    gymnasium.register(env_id, entry_point=entry_point, max_episode_steps=max_turns)
    _registered.add(env_id)


def register_builtin() -> None:
    """Make the built-in environments known to Gymnasium; imports none of them."""
    for env_id, (entry_point, max_turns) in BUILTIN.items():
        if env_id not in gymnasium.registry:
            register(env_id, entry_point, max_turns=max_turns)


def find_spec(env_id: str) -> EnvSpec:
    """The registered spec; `"module:Class"` is registered on the fly under its own name.

    Raises:
        UsageError: nothing has that id; the message names the nearest.
    """
    if env_id in gymnasium.registry:
        return gymnasium.registry[env_id]
    if ":" in env_id:
        local_id = f"local/{env_id.replace(':', '.')}-v0"
        if local_id not in gymnasium.registry:
            env_class = load(env_id)
            register(local_id, env_class, max_turns=getattr(env_class, "max_turns", 30))
        return gymnasium.registry[local_id]
    raise unknown("environment", env_id, turn_env_ids())


def env_class(env_id: str) -> type[TurnEnv]:
    """The class behind an id.

    Raises:
        UsageError: the id is unknown, or its class is no `TurnEnv`.
    """
    entry = find_spec(env_id).entry_point
    found = load(entry) if isinstance(entry, str) else entry
    if not (isinstance(found, type) and issubclass(found, TurnEnv)):
        raise UsageError(f"environment '{env_id}' is not a TurnEnv")
    return found


def find_name(entry_point: Any) -> str | None:
    """The `module:Class` by which another process can import a class; None where there is none.

    A class in a script is found under the script's name, from the script's folder.
    """
    if isinstance(entry_point, str):
        return entry_point
    module, name = str(entry_point.__module__), str(entry_point.__qualname__)
    if module == "__main__":
        main = sys.modules[module]
        script = Path(getattr(main, "__file__", None) or "")
        module = main.__spec__.name if main.__spec__ else script.stem
        if main.__spec__ is None and script.suffix != ".py":
            return None
    importable = all(part.isidentifier() for part in module.split("."))
    return f"{module}:{name}" if importable and name.isidentifier() else None


def recall(env_id: str, entry_point: str, *, max_turns: int | None) -> None:
    """Register an environment as another program did, unless it is registered here already.

    Raises:
        UsageError: it cannot be imported here, or the module trains as it is imported.
    """
    if env_id in gymnasium.registry:
        return
    try:
        load(entry_point)  # the module may register it itself
    except UsageError as error:
        if not isinstance(error.__cause__, ModuleNotFoundError):
            raise
        where = (
            f"run this in the folder where '{entry_point.partition(':')[0].partition('.')[0]}' lies"
        )
        raise UsageError(f"environment '{env_id}': {error}; {where}") from error
    if env_id not in gymnasium.registry:
        gymnasium.register(env_id, entry_point=entry_point, max_episode_steps=max_turns)
        _registered.add(env_id)


def get_panel(env_id: str, split: str | None = None) -> Panel:
    """The tasks of a split; None is the environment's default one.

    Raises:
        UsageError: the environment names no such split, cannot make it, or has no task in it.
    """
    found = env_class(env_id)
    split = split or found.default_split
    what = f"split '{split}' of '{env_id}'"
    with boundary(UsageError, what):
        panel: Any = found.panel(split)  # first: it may say which files or packages are missing
        if split not in found.splits():
            raise unknown(f"split of '{env_id}'", split, found.splits())
    if not isinstance(panel, Panel):
        raise UsageError(f"{what}: `panel` must give a Panel, not {type(panel).__name__}")
    if not panel.tasks:
        raise UsageError(f"{what} has no tasks")
    return panel


def make(env_id: str, **kwargs: Any) -> gymnasium.Env[Observation, str]:
    """The environment under its turn limit, without Gymnasium's passive checks (they cost time)."""
    return gymnasium.make(find_spec(env_id), disable_env_checker=True, **kwargs)


def turn_env_ids() -> tuple[str, ...]:
    """The ids that were registered through us, in order."""
    return tuple(sorted(_registered))

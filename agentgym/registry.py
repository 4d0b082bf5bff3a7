"""Plug-ins by name: a name, and where its class lives; nothing is imported until it is made."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agentgym.errors import AgentGymError, UsageError, cut, unknown

_importing: list[str] = []
"""The modules that `load` imports at this moment, the innermost last."""


def load(entry_point: str) -> Any:
    """The object behind `"module:name"`.

    Raises:
        UsageError: the text has another form, there is no such module, it cannot be imported, or
            it lacks the name.
    """
    module_name, colon, name = entry_point.partition(":")
    if not (module_name and colon and name):
        raise UsageError(f"'{entry_point}' is not of the form 'module:name'")
    _importing.append(module_name)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise UsageError(_explain(entry_point, error)) from error
    except AgentGymError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"cannot import '{entry_point}': {_raised(error)}") from error
    finally:
        _importing.pop()
    if not hasattr(module, name):
        raise UsageError(f"module '{module_name}' has no '{name}'")
    return getattr(module, name)


EXTRAS = {
    "torch": "train",
    "transformers": "train",
    "textworld": "alfworld",
    "tantivy": "tantivy",
    "spacy": "spacy",
    "peft": "lora",
    "bitsandbytes": "bitsandbytes",
    "docker": "docker",
    "starlette": "viewer",
    "uvicorn": "viewer",
    "playwright": "gui",
    "miniwob": "gui",
    "browsergym": "browsergym",
}
"""Import name of an optional dependency -> the extra that installs it."""


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Tell which extra to install when an import inside finds a package missing.

    Args:
        what: which the extra brings, as a user would call it.

    Raises:
        UsageError: an import inside failed.
    """
    try:
        yield
    except ImportError as cause:
        raise UsageError(
            f"{what} is not installed: install the extra '{extra}'"
            f" (pip install 'agentgym-lab[{extra}]'); {cause}"
        ) from cause


def _explain(entry_point: str, error: ModuleNotFoundError) -> str:
    missing = str(error.name)
    if missing in EXTRAS:
        install = f"pip install 'agentgym-lab[{EXTRAS[missing]}]'"
        return f"'{entry_point}' needs the package '{missing}': {install}"
    return f"cannot import '{entry_point}': there is no module '{missing}'"


def _raised(error: BaseException) -> str:
    """What was raised, and where."""
    what = f"{type(error).__name__}: {error}"
    if not isinstance(error, SyntaxError):  # whose text says where
        frame = traceback.extract_tb(error.__traceback__)[-1]
        what += f" ({frame.filename}, line {frame.lineno})"
    return cut(what)


def refuse_run_in_import() -> None:
    """Refuse to start a run where a module is being imported for what is in it.

    Raises:
        UsageError: `load` is importing one.
    """
    if _importing:
        raise UsageError(
            f"module '{_importing[-1]}' starts a run when it is imported; put that part under "
            "if __name__ == '__main__':"
        )


class Registry:
    """Names of one kind of plug-in. A plug-in is a class; its fields are its configuration."""

    def __init__(self, kind: str, builtin: dict[str, str]) -> None:
        self.kind = kind
        self._entries: dict[str, Any] = dict(builtin)

    def register(self, name: str, entry: Any) -> None:
        """Add a plug-in: a class, or `"module:Class"`, imported when first made.

        Raises:
            UsageError: the name is taken.
        """
        if name in self._entries:
            raise UsageError(f"{self.kind} '{name}' is already registered")
        self._entries[name] = entry

    def get(self, name: str) -> Any:
        """The plug-in's class; a full `"module:Class"` works too.

        Raises:
            UsageError: nothing has that name.
        """
        entry = self._entries.get(name, name if ":" in name else None)
        if entry is None:
            raise unknown(self.kind, name, self._entries)
        return load(entry) if isinstance(entry, str) else entry

    def make(self, name: str, **config: Any) -> Any:
        """An instance; its class validates `config`."""
        return self.get(name)(**config)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))


credits = Registry(
    "credit scheme",
    {
        "a2tgpo": "agentgym.trainers.credit.a2tgpo:A2tgpo",
        "bilevel_gae": "agentgym.trainers.credit.bilevel_gae:BilevelGae",
        "cigpo": "agentgym.trainers.credit.cigpo:Cigpo",
        "crbc": "agentgym.trainers.credit.crbc:Crbc",
        "dr_grpo": "agentgym.trainers.credit.dr_grpo:DrGrpo",
        "g2po": "agentgym.trainers.credit.g2po:G2po",
        "gae_token": "agentgym.trainers.credit.gae_token:GaeToken",
        "gigpo": "agentgym.trainers.credit.gigpo:Gigpo",
        "graft": "agentgym.trainers.credit.graft:Graft",
        "graphgpo": "agentgym.trainers.credit.graphgpo:GraphGpo",
        "graphhca": "agentgym.trainers.credit.graphhca:GraphHca",
        "grpo": "agentgym.trainers.credit.grpo:Grpo",
        "hgpo": "agentgym.trainers.credit.hgpo:Hgpo",
        "igpo": "agentgym.trainers.credit.igpo:Igpo",
        "mt_grpo": "agentgym.trainers.credit.mt_grpo:MtGrpo",
        "reinforce_pp": "agentgym.trainers.credit.reinforce_pp:ReinforcePp",
        "reinforce_pp_baseline": "agentgym.trainers.credit.reinforce_pp:ReinforcePpBaseline",
        "rewardflow": "agentgym.trainers.credit.rewardflow:RewardFlow",
        "rloo": "agentgym.trainers.credit.rloo:Rloo",
        "salt": "agentgym.trainers.credit.salt:Salt",
        "turn_gae": "agentgym.trainers.credit.turn_gae:TurnGae",
    },
)
rewards = Registry(
    "reward",
    {
        "information_gain": "agentgym.trainers.rewards.information_gain:InformationGain",
        "invalid_action": "agentgym.trainers.rewards.invalid_action:InvalidAction",
        "overlong": "agentgym.trainers.rewards.overlong:Overlong",
    },
)
losses = Registry(
    "loss",
    {
        "a2tgpo": "agentgym.trainers.loss:A2tgpoLoss",
        "cispo": "agentgym.trainers.loss:CispoLoss",
        "dapo": "agentgym.trainers.loss:DapoLoss",
        "grpo_c": "agentgym.trainers.loss:GrpoCLoss",
        "gspo": "agentgym.trainers.loss:GspoLoss",
        "gspo_token": "agentgym.trainers.loss:GspoTokenLoss",
        "ppo": "agentgym.trainers.loss:PpoLoss",
    },
)
curricula = Registry("curriculum", {"uniform": "agentgym.trainers.curriculum:Uniform"})
retrievers = Registry(
    "retriever",
    {
        "bm25s": "agentgym.envs.search.retrievers.bm25:Bm25s",
        "dense": "agentgym.envs.search.retrievers.dense:Dense",
        "http": "agentgym.envs.search.retrievers.http:Http",
        "tantivy": "agentgym.envs.search.retrievers.disk:Tantivy",
    },
)
sandboxes = Registry(
    "sandbox",
    {
        "bubblewrap": "agentgym.sandboxes.bubblewrap:Bubblewrap",
        "docker": "agentgym.sandboxes.docker:Docker",
        "process": "agentgym.sandboxes.process:ProcessSandbox",
        "scripted": "agentgym.sandboxes.scripted:ScriptedSandbox",
    },
)
browsers = Registry("browser", {"chromium": "agentgym.sandboxes.browser:Chromium"})

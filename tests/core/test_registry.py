"""Plug-ins by name: nearest names, no duplicates, nothing imported before it is made."""

from __future__ import annotations

import ast
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentgym import registry
from agentgym.env import BUILTIN, env_class, find_spec, make, turn_env_ids
from agentgym.errors import UsageError
from agentgym.registry import Registry, load

REGISTRIES = [each for each in vars(registry).values() if isinstance(each, Registry)]


@dataclass(frozen=True, kw_only=True)
class Plug:
    """A plug-in; its field is its configuration."""

    size: int = 1


def make_registry() -> Registry:
    """One plug-in that is here, and one whose module does not exist."""
    plugs = Registry("plug", {"absent": "no_such_module:Plug"})
    plugs.register("here", Plug)
    return plugs


def test_a_plug_in_is_made_with_its_configuration() -> None:
    assert make_registry().make("here", size=3) == Plug(size=3)
    assert make_registry().get("here") is Plug


def test_names_are_listed_in_order_without_importing_them() -> None:
    assert list(make_registry()) == ["absent", "here"]
    assert "no_such_module" not in sys.modules


def test_a_full_path_works_in_place_of_a_name() -> None:
    assert make_registry().get("agentgym.panel:Panel").__name__ == "Panel"


def test_an_unknown_name_is_answered_by_the_nearest_or_by_all() -> None:
    with pytest.raises(UsageError, match="^unknown plug 'heer'; did you mean 'here'"):
        make_registry().get("heer")
    with pytest.raises(UsageError, match="^unknown plug 'xyz'; known: absent, here$"):
        make_registry().get("xyz")


def test_a_name_is_registered_once() -> None:
    plugs = make_registry()
    with pytest.raises(UsageError, match="plug 'here' is already registered"):
        plugs.register("here", Plug)


@pytest.mark.parametrize("text", ["", "json", ":loads", "json:"])
def test_an_entry_point_has_a_module_and_a_name(text: str) -> None:
    with pytest.raises(UsageError, match="is not of the form 'module:name'"):
        load(text)


def test_an_entry_point_names_something_that_exists() -> None:
    with pytest.raises(UsageError, match="module 'json' has no 'lods'"):
        load("json:lods")


def builtin_entries() -> list[str]:
    """Where every built-in plug-in and environment says that it lives."""
    plugs = [each for plug_ins in REGISTRIES for each in vars(plug_ins)["_entries"].values()]
    return [*plugs, *(entry for entry, _ in BUILTIN.values())]


@pytest.mark.parametrize("entry", builtin_entries())
def test_every_built_in_lives_where_its_registry_says(entry: str) -> None:
    """Read from the source, so that nothing heavy is imported."""
    module, _, name = entry.partition(":")
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


def test_every_built_in_environment_is_known_to_gymnasium_with_its_limit() -> None:
    assert set(BUILTIN) <= set(turn_env_ids())
    for env_id, (entry_point, max_turns) in BUILTIN.items():
        spec = find_spec(env_id)
        assert (spec.entry_point, spec.max_episode_steps) == (entry_point, max_turns)


def test_an_unknown_environment_is_answered_by_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'agentgym/Corridor-v0'"):
        find_spec("agentgym/Corridor-v1")


def test_a_class_can_be_named_by_its_path() -> None:
    assert env_class("broken_envs:Sound").__name__ == "Sound"
    env = make("broken_envs:Sound")
    assert env.spec is not None
    assert env.spec.id == "local/broken_envs.Sound-v0"
    assert env.spec.max_episode_steps == 30


def test_an_environment_of_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="'CartPole-v1' is not a TurnEnv"):
        env_class("CartPole-v1")

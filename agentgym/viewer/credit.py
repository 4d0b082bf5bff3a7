"""Credit on a stored group, recomputed by the code that `agentgym credit` and `graph` run."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from agentgym import registry
from agentgym.errors import StoreError, UsageError
from agentgym.store import STEP_FILE, Run
from agentgym.viewer.runs import OpenRun, Stamp, stamp

OFFLINE = "agentgym.trainers.offline"


def credit(opened: OpenRun, name: str, group: int, *, scheme: str | None) -> dict[str, Any]:
    """What a scheme gives to the turns of a group, beside what the trainer used.

    Args:
        scheme: default: the run's own, which must differ by 0.

    Raises:
        UsageError: the file is no train step, the recipe cannot be read, or the scheme reads what
            the run did not record.
        StoreError: the step cannot be read.
    """
    place, _ = opened.find_group(name, group)
    made, groups, found = _compared(opened.run, _step(name), scheme, _stamp(opened, name))
    (column,) = found.columns
    members: dict[int, dict[str, Any]] = {
        member.episode.id.member: {
            "outcome": member.outcome,
            "turn_rewards": member.turn_rewards,
            "advantages": [],
            "differences": [],
        }
        for member in groups[place].members
    }
    for where, advantage, difference in zip(
        found.places, column.advantages.tolist(), column.differences.tolist(), strict=True
    ):
        if where.group == group:
            members[where.member]["advantages"].append(advantage)
            members[where.member]["differences"].append(difference)
    return {
        "scheme": made.name,
        "says": (inspect.getdoc(type(made.credit)) or "").partition("\n\nSource:")[0],
        "reads": sorted(made.credit.reads),
        "constants": made.credit.model_dump(mode="json"),
        "used": found.used.name,
        "schemes": list(registry.credits),
        "difference": float(column.differences.max(initial=0.0)),
        "turns": len(found.places),
        "metrics": dict(column.metrics),
        "members": members,
    }


def graph(opened: OpenRun, name: str, group: int, *, scheme: str | None) -> dict[str, Any]:
    """The graph that a scheme sees in a group.

    Raises:
        UsageError: as `credit`.
        StoreError: as `credit`, or the group has no valid episode.
    """
    place, _ = opened.find_group(name, group)
    made, groups, credited = _credited(opened.run, _step(name), scheme, _stamp(opened, name))
    if not groups[place].members:
        raise StoreError(f"no valid episodes in group {group} of {name}")
    draw = registry.load("agentgym.trainers.graph_data:draw")
    data = draw(made.credit, groups[place], credited.advantages[place])
    return {"scheme": made.name, **asdict(data)}


def _step(name: str) -> int:
    match = STEP_FILE.fullmatch(name)
    if match is None:
        raise UsageError(f"'{name}' is an evaluation; credit is computed on train steps")
    return int(match[1])


def _stamp(opened: OpenRun, name: str) -> Stamp:
    return stamp(opened.run.folder / "episodes" / f"{name}.parquet")


@lru_cache(maxsize=8)
def _compared(run: Run, step: int, scheme: str | None, _: Stamp) -> tuple[Any, Any, Any]:
    """A scheme, the groups of a step as it sees them, and its comparison with the trained."""
    recipe = registry.load(f"{OFFLINE}:read_recipe")(run)
    made = _make(recipe, scheme)
    groups = registry.load(f"{OFFLINE}:read_step")(run, recipe, step)
    return made, groups, registry.load(f"{OFFLINE}:compare")(run, recipe, [made], step)


@lru_cache(maxsize=8)
def _credited(run: Run, step: int, scheme: str | None, _: Stamp) -> tuple[Any, Any, Any]:
    """A scheme, the groups of a step as it sees them, and what it gives them."""
    recipe = registry.load(f"{OFFLINE}:read_recipe")(run)
    made = _make(recipe, scheme)
    groups = registry.load(f"{OFFLINE}:read_step")(run, recipe, step)
    apply = registry.load(f"{OFFLINE}:apply")
    return made, groups, apply(made, groups, processes=recipe.processes)


def _make(recipe: Any, scheme: str | None) -> Any:
    """The scheme, if it is a registered one.

    A recipe may also name any `module:Class`, and SALT's keys a function or a model; to read a run
    must not import, load and call whatever that run says.
    """
    for name in (recipe.credit.name, scheme):
        if name is not None and name not in set(registry.credits):
            raise UsageError(
                f"credit scheme '{name}' is not registered here, so it is not run; "
                "`agentgym credit` runs it if you trust the run"
            )
    if scheme in (None, recipe.credit.name) and recipe.credit.args.get("action_keys"):
        raise UsageError(
            "this run's scheme names code or a model for its action_keys, which is not run; "
            "`agentgym credit` runs it if you trust the run"
        )
    return registry.load(f"{OFFLINE}:make_scheme")(recipe, scheme or recipe.credit.name, {})

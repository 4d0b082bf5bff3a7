"""Credit on stored episodes: any scheme on a run's train steps, without a model or torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from agentgym import registry
from agentgym.errors import StoreError, UsageError
from agentgym.store import Run
from agentgym.trainers import config, run_folder
from agentgym.trainers.config import Recipe
from agentgym.trainers.credit import WORDS, Credit
from agentgym.trainers.credit.layout import NEGLIGIBLE, FloatArray
from agentgym.trainers.graph_data import GraphData, draw
from agentgym.trainers.metrics import join
from agentgym.trainers.overrides import parse_overrides
from agentgym.trainers.rewards.combine import combine
from agentgym.types import Credited, Episode, ScoredGroup

NEVER_MISSING = WORDS - {"values"}
"""What a scheme may read of any stored step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """A credit scheme by name, with what was set; everything else has its default."""

    name: str
    settings: Mapping[str, Any]
    credit: Credit


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A turn of a run; turns count from 1."""

    step: int
    group: int
    member: int
    turn: int
    action: str

    def __str__(self) -> str:
        return f"step={self.step}/group={self.group}/member={self.member}/turn={self.turn}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """One scheme's advantages for the S turns of a comparison."""

    scheme: Scheme
    advantages: FloatArray
    """`[S]`."""
    differences: FloatArray
    """To what the loss saw, at the token of the turn where it is largest; `[S]`, from 0 up."""
    metrics: Mapping[str, float]
    """The scheme's own, averaged over steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """Turns of one group, with one action, to which the schemes gave the same numbers."""

    places: tuple[Place, ...]
    values: tuple[float, ...]
    """Parallel to `Comparison.names`."""
    spread: float
    """How far apart the schemes are, each in units of its own standard deviation."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """Schemes beside what the trainer used, on the same turns."""

    used: Scheme
    """The run's own."""
    places: tuple[Place, ...]
    trained: FloatArray
    """What the loss saw, `[S]`."""
    columns: tuple[Column, ...]

    @property
    def _rows(self) -> list[tuple[str, FloatArray]]:
        rows = [(column.scheme.name, column.advantages) for column in self.columns]
        if any(np.array_equal(values, self.trained) for _, values in rows):
            return rows
        return [("trained", self.trained), *rows]

    @property
    def names(self) -> tuple[str, ...]:
        """What is held against each other: the columns, and before them what the trainer used,
        unless a column is exactly that."""
        return tuple(name for name, _ in self._rows)

    @property
    def values(self) -> FloatArray:
        """The advantages of the named, `[names, S]`."""
        return np.stack([values for _, values in self._rows])

    def correlation(self) -> list[list[float | None]]:
        """Pearson's, between all that have a name; None where one of two never varies."""
        values = self.values
        varies = values.std(axis=1) > NEGLIGIBLE
        found: list[list[float | None]] = []
        for row, row_varies in zip(values, varies, strict=True):
            found.append(
                [
                    float(np.corrcoef(row, other)[0, 1]) if row_varies and other_varies else None
                    for other, other_varies in zip(values, varies, strict=True)
                ]
            )
        return found

    def disagreements(self, count: int) -> tuple[Disagreement, ...]:
        """Where the named differ most; turns with the same action and numbers are one entry."""
        values = self.values
        scale = values.std(axis=1, keepdims=True)
        # A scheme that says nothing has no unit; it stays at 0.
        spread = np.ptp(values / np.where(scale > NEGLIGIBLE, scale, 1.0), axis=0)
        alike: dict[tuple[Any, ...], list[int]] = {}
        last = 0.0
        for index in np.argsort(-spread, kind="stable").tolist():
            if spread[index] <= max(NEGLIGIBLE, last - NEGLIGIBLE):
                break
            place = self.places[index]
            numbers = values[:, index].round(9).tolist()
            key = (place.step, place.group, place.action, *numbers)
            if key not in alike and len(alike) == count:
                last = spread[index]  # only what is alike, and so as far apart, may still come
                continue
            alike.setdefault(key, []).append(index)
        return tuple(
            Disagreement(
                places=tuple(self.places[index] for index in indices),
                values=tuple(values[:, indices[0]].tolist()),
                spread=float(spread[indices[0]]),
            )
            for indices in alike.values()
        )


def read_recipe(run: Run) -> Recipe:
    """The recipe that a run was made with.

    Raises:
        UsageError: as `run_folder.read_recipe`.
    """
    return run_folder.read_recipe(run.folder)


def steps_of(run: Run, step: int | None) -> tuple[int, ...]:
    """The stored train steps, or the one that was asked for.

    Raises:
        StoreError: there is none.
        UsageError: not that one.
    """
    found = run.steps()
    if not found:
        raise StoreError(f"no train steps in '{run.folder}'")
    if step is None:
        return found
    run.step_file(step)  # which is refused here where it is not stored
    return (step,)


def read_step(run: Run, recipe: Recipe, step: int) -> tuple[ScoredGroup, ...]:
    """A train step's groups as its credit scheme saw them."""
    return combine(run.groups(run.step_file(step)), config.channels(recipe))


def make_scheme(recipe: Recipe, name: str, settings: Mapping[str, Any]) -> Scheme:
    """A scheme with settings on top of the recipe's, if it is the recipe's, or of the defaults.

    Raises:
        UsageError: it is unknown, or refuses a setting.
    """
    own = recipe.credit.args if name == recipe.credit.name else {}
    merged = {**own, **settings}
    credit = config.make_plugin(registry.credits, name, merged, key=name)
    return Scheme(name=name, settings=merged, credit=credit)


def parse_settings(words: Sequence[str]) -> dict[str, Any]:
    """`["key_window=2"]` as `{"key_window": 2}`; values are YAML.

    Raises:
        UsageError: a word has no value.
    """
    for word in words:
        if "=" not in word:
            raise UsageError(f"--set '{word}' needs a value, such as key_window=2")
    return parse_overrides(f"--{word}" for word in words)


def compare(run: Run, recipe: Recipe, schemes: Sequence[Scheme], step: int | None) -> Comparison:
    """Credit the stored steps with these schemes.

    Raises:
        StoreError: no train step is stored, or one without advantages, or no valid episode.
        UsageError: a scheme reads what the run did not record.
    """
    places: list[Place] = []
    trained: list[float] = []
    given = [_Given(scheme=scheme) for scheme in schemes]
    for number in steps_of(run, step):
        groups = read_step(run, recipe, number)
        for episode in _episodes(groups):
            trained += _used(episode)
            places += _places(episode)
        for each in given:
            each.add(groups, processes=recipe.processes)
    if not places:
        raise StoreError(f"no valid episodes in these train steps of '{run.folder}'")
    return Comparison(
        used=make_scheme(recipe, recipe.credit.name, {}),
        places=tuple(places),
        trained=np.array(trained),
        columns=tuple(each.column() for each in given),
    )


@dataclass(slots=True, kw_only=True)
class _Given:
    """What one scheme gave to the turns of the steps so far."""

    scheme: Scheme
    values: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    metrics: list[Mapping[str, float]] = field(default_factory=list)

    def add(self, groups: Sequence[ScoredGroup], *, processes: int) -> None:
        """One more step."""
        credited = apply(self.scheme, groups, processes=processes)
        self.values += chain.from_iterable(chain.from_iterable(credited.advantages))
        for episode, mine in zip(_episodes(groups), _as_the_loss_saw(credited), strict=True):
            self.gaps += _gaps(mine, episode)
        self.metrics.append(credited.metrics)

    def column(self) -> Column:
        """All of it."""
        return Column(
            scheme=self.scheme,
            advantages=np.array(self.values),
            differences=np.array(self.gaps),
            metrics=_mean(self.metrics),
        )


def graph_of(
    run: Run, recipe: Recipe, scheme: Scheme, step: int, group: int
) -> tuple[GraphData, Mapping[str, float], str]:
    """The graph that a scheme sees in one group, the step's metrics, and the task.

    Raises:
        UsageError: there is no such group, or the scheme reads what the run did not record.
        StoreError: the group has no valid episode.
    """
    groups = read_step(run, recipe, step)
    if not 0 <= group < len(groups):
        raise UsageError(f"step {step} has no group {group}; it has {len(groups)}, from 0")
    if not groups[group].members:
        raise StoreError(f"no valid episodes in group {group} of step {step}")
    credited = apply(scheme, groups, processes=recipe.processes)
    data = draw(scheme.credit, groups[group], credited.advantages[group])
    return data, credited.metrics, groups[group].task_id


def apply(scheme: Scheme, groups: Sequence[ScoredGroup], *, processes: int = 1) -> Credited:
    """What a scheme gives to a train step's groups.

    Args:
        processes: how many shared the step; each credited its own groups, every n-th.

    Raises:
        UsageError: the scheme reads what the episodes do not hold.
    """
    check_recorded(scheme, groups)
    if "batch" in scheme.credit.reads:
        processes = 1  # then every process was given all groups
    shares = [groups[rank::processes] for rank in range(processes)]
    parts = [scheme.credit(share) for share in shares]
    places = [(parts[index % processes], index // processes) for index in range(len(groups))]
    tokens = [
        part.token_advantages[index] for part, index in places if part.token_advantages is not None
    ]
    return Credited(
        advantages=tuple(part.advantages[index] for part, index in places),
        token_advantages=tuple(tokens) if len(tokens) == len(places) > 0 else None,
        metrics=join(part.metrics for part in parts),
    )


def check_recorded(scheme: Scheme, groups: Sequence[ScoredGroup]) -> None:
    """Hold what a scheme reads against what episodes hold.

    Raises:
        UsageError: a channel, or a critic's values, that it reads were not recorded.
    """
    for name in sorted(scheme.credit.reads - NEVER_MISSING):
        for episode in _episodes(groups):
            for turn in episode.turns:
                if name in turn.channels or (name == "values" and turn.values is not None):
                    continue
                raise UsageError(
                    f"credit scheme '{scheme.name}' reads '{name}', which this run did not "
                    f"record ({episode.id})"
                )


def _episodes(groups: Sequence[ScoredGroup]) -> Iterator[Episode]:
    return (member.episode for group in groups for member in group.members)


def _used(episode: Episode) -> tuple[float, ...]:
    if episode.advantages is None:
        raise StoreError(f"{episode.id} was stored without advantages")
    return episode.advantages


def _as_the_loss_saw(credited: Credited) -> Iterator[Sequence[Sequence[float]]]:
    """Member by member the advantages of each turn's tokens, or the one that they share."""
    if credited.token_advantages is not None:
        return chain.from_iterable(credited.token_advantages)
    members = chain.from_iterable(credited.advantages)
    return ([(value,) for value in member] for member in members)


def _gaps(mine: Sequence[Sequence[float]], episode: Episode) -> list[float]:
    """How far a member's turns are from what the loss saw."""
    used = episode.token_advantages or [(value,) for value in _used(episode)]
    return [
        float(np.abs(np.subtract(ours, theirs)).max(initial=0.0))
        for ours, theirs in zip(mine, used, strict=True)
    ]


def _places(episode: Episode) -> Iterator[Place]:
    where = episode.id
    for number, turn in enumerate(episode.turns, start=1):
        yield Place(
            step=where.step,
            group=where.group,
            member=where.member,
            turn=number,
            action=turn.action if turn.action is not None else f"({turn.invalid})",
        )


def _mean(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Each metric's mean over steps; all steps have the same ones."""
    return {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}
